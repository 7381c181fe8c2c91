use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Map, Value, json};

use super::super::{
    super::{Document, Files, ServiceResponse, check},
    Change, Contract, compare, judge,
};
use stagegate_base::waiver::Waivers;

const TODAY: &str = "2026-01-01";

/// A contract of these files, the first one its document.
fn contract(files: &[(&str, &str)]) -> Files {
    let (root, text) = files[0];
    let mut all = Files::new(root, root, text.to_owned());
    loop {
        let wanted = all.wanted();
        let Some(name) = wanted.first() else { return all };
        let text = files.iter().find(|(other, _)| other == name).map(|(_, text)| (*text).to_owned());
        all.add(name, text.ok_or_else(|| "does not exist".to_owned()));
    }
}

fn changes(old: &Files, new: &Files) -> Vec<Change> {
    compare(&Contract::of(old).unwrap(), &Contract::of(new).unwrap(), TODAY)
}

fn refused(files: &[(&str, &str)]) -> String {
    let files = contract(files);
    let error = Contract::of(&files).unwrap_err().to_string();
    assert_eq!(Document::of(&files).unwrap_err().to_string(), error);
    error
}

const ROOT: &str = "\
openapi: 3.0.3
info:
  title: pets
  description: {$ref: intro.md}
paths:
  /pets/{id}: {$ref: paths/pet.yaml}
components:
  schemas:
    Pet: {$ref: schemas/pet.yaml}
";
const PATH: &str = "\
parameters:
- $ref: ../common.yaml#/parameters/Id
get:
  responses:
    '200':
      description: one
      content:
        application/json:
          schema: {$ref: '../openapi.yaml#/components/schemas/Pet'}
          examples:
            one: {$ref: '../common.yaml#/examples/Rex'}
";
const PET: &str = "\
type: object
required: [id, name]
properties:
  id: {$ref: '../common.yaml#/schemas/Number'}
  name: {type: string, nullable: true}
  parent: {$ref: pet.yaml}
  friends: {type: array, items: {$ref: '#/properties/parent'}}
";
const COMMON: &str = "\
parameters:
  Id: {name: id, in: path, required: true, schema: {$ref: '#/schemas/Number'}}
schemas:
  Number: {type: integer, minimum: 1}
examples:
  Rex: {value: {id: 7, name: Rex, $ref: nobody.yaml}}
";
const SINGLE: &str = "\
openapi: 3.0.3
info: {title: pets}
paths:
  /pets/{id}:
    parameters:
    - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
    get:
      responses:
        '200':
          description: one
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Pet'}
components:
  schemas:
    Pet:
      type: object
      required: [id, name]
      properties:
        id: {type: integer, minimum: 1}
        name: {type: string, nullable: true}
        parent: {$ref: '#/components/schemas/Pet'}
        friends: {type: array, items: {$ref: '#/components/schemas/Pet'}}
";

fn pets<'a>(path: &'a str, pet: &'a str, common: &'a str) -> Files {
    let files = [
        ("openapi.yaml", ROOT),
        ("paths/pet.yaml", path),
        ("schemas/pet.yaml", pet),
        ("common.yaml", common),
        ("intro.md", "# Pets: all of them\n"),
    ];
    contract(&files)
}

#[test]
fn a_contract_states_the_same_in_one_file_and_in_several() {
    let (single, several) = (contract(&[("openapi.yaml", SINGLE)]), pets(PATH, PET, COMMON));
    assert_eq!(changes(&single, &several), []);
    assert_eq!(changes(&several, &single), []);
}

#[test]
fn responses_are_compared_with_schemas_of_other_files() {
    let document = Document::of(&pets(PATH, PET, COMMON)).unwrap();
    let operation = &document.operations()[0];
    assert_eq!(operation.parameters[0].name, "id");
    assert_eq!(operation.responses[0].content[0].example, Some(json!({"id": 7, "name": "Rex", "$ref": "nobody.yaml"})));
    assert_eq!(document.root()["info"]["description"], "# Pets: all of them\n");
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let checked = |body: &str| {
        let response = ServiceResponse { status: 200, headers: &headers, body: body.as_bytes(), truncated: false };
        let found = check(&document, operation, &response).findings;
        found.iter().map(|f| format!("{} {}", f.at, f.expected)).collect::<Vec<_>>()
    };
    assert_eq!(checked(r#"{"id": 1, "name": null, "friends": [{"id": 2, "name": "Bo"}]}"#), [""; 0]);
    assert_eq!(
        checked(r#"{"id": 1, "name": "a", "friends": [{"id": 0, "name": "Bo"}]}"#),
        ["$.friends[0].id number of at least 1"]
    );
}

#[test]
fn a_change_is_reported_in_the_file_that_it_was_made_in() {
    let old = pets(PATH, PET, COMMON);
    let new =
        pets(PATH, &PET.replace("required: [id, name]", "required: [id]"), &COMMON.replace("minimum: 1", "minimum: 0"));
    let found =
        judge(&changes(&old, &new), ("old/openapi.yaml", "git:v2:new/openapi.yaml"), &Waivers::default(), TODAY);
    let reported: Vec<String> =
        found.iter().map(|f| format!("{} {} | {}", f.code, f.place.position(), f.found)).collect();
    let wanted = [
        "response-property-became-optional new/schemas/pet.yaml:2 | ",
        "response-minimum-widened new/common.yaml:4 | ",
        "request-minimum-widened new/common.yaml:4 | ",
    ];
    for wanted in wanted {
        assert!(reported.iter().any(|reported| reported.starts_with(wanted)), "{wanted}\n{reported:#?}");
    }
    assert!(reported.iter().all(|reported| reported.contains("old old/")), "{reported:#?}");
    let alias = "common.yaml#/schemas/Number/minimum".to_owned();
    assert!(found.iter().any(|finding| finding.aliases.contains(&alias)), "{found:#?}");
}

#[test]
fn maps_and_schemas_of_an_index_keep_the_names_of_the_document() {
    let root =
        "openapi: 3.1.0\npaths: {$ref: paths/_index.yaml}\ncomponents:\n  schemas: {$ref: schemas/_index.yaml}\n";
    let schema = "{$ref: '../openapi.yaml#/components/schemas/Pet'}";
    let paths = format!(
        "/pets:\n  get:\n    responses:\n      '200': {{description: a, content: {{application/json: {{schema: {schema}}}}}}}\n"
    );
    let files = [
        ("openapi.yaml", root),
        ("paths/_index.yaml", paths.as_str()),
        ("schemas/_index.yaml", "Pet: {$ref: ./Pet.yaml}\nName: {type: string}\n"),
        ("schemas/Pet.yaml", "type: object\nproperties: {name: {$ref: '_index.yaml#/Name'}, next: {$ref: Pet.yaml}}\n"),
    ];
    let files = contract(&files);
    let root = Contract::of(&files).unwrap().value();
    let names: Vec<&String> = root["components"]["schemas"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["Name", "Pet"]);
    let pet = &root["components"]["schemas"]["Pet"]["properties"];
    assert_eq!(
        (&pet["name"]["$ref"], &pet["next"]["$ref"]),
        (&json!("#/components/schemas/Name"), &json!("#/components/schemas/Pet"))
    );
}

#[test]
fn schemas_of_one_name_keep_apart() {
    let root = "openapi: 3.1.0\npaths: {}\nwebhooks: {}\ncomponents: {schemas: {A: {$ref: a/x.yaml}, x: {type: integer}, B: {oneOf: [{$ref: a/y.yaml}, {$ref: b/y.yaml}, {$ref: b/x.yaml}]}}}";
    let text = |name: &str| format!("title: {name}");
    let (ay, by, bx) = (text("ay"), text("by"), text("bx"));
    let files =
        [("o.yaml", root), ("a/x.yaml", "type: string"), ("a/y.yaml", &ay), ("b/y.yaml", &by), ("b/x.yaml", &bx)];
    let files = contract(&files);
    let root = Contract::of(&files).unwrap().value();
    let names: Vec<&String> = root["components"]["schemas"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["A", "B", "a.y.yaml", "b.x.yaml", "b.y.yaml", "x"]);
    assert_eq!(root["components"]["schemas"]["a.y.yaml"]["title"], "ay");
}

#[rstest]
#[case::a_url(
    "https://example.org/a.yaml#/x",
    "openapi.yaml:4: `https://example.org/a.yaml#/x` is not a file of the release, and nothing is fetched"
)]
#[case::absolute("/etc/passwd", "openapi.yaml:4: `/etc/passwd` is an absolute path")]
#[case::a_file_url("file:///etc/passwd", "openapi.yaml:4: `file:///etc/passwd` is an absolute path")]
#[case::another_host("//example.org/a.yaml", "openapi.yaml:4: `//example.org/a.yaml` is not a file of the release")]
#[case::above("../a.yaml", "openapi.yaml:4: `../a.yaml` leads out of the release")]
#[case::missing("none.yaml", "openapi.yaml:4: `none.yaml` does not exist; add the file")]
#[case::no_such_place("a.yaml#/none", "openapi.yaml:4: `a.yaml#/none` leads to nothing: a.yaml has no `#/none`")]
#[case::nowhere_in_it("a.yaml#/own", "a.yaml:1: `#/none` leads to nothing: a.yaml has no `#/none`")]
#[case::an_anchor("a.yaml#name", "openapi.yaml:4: `a.yaml#name` names an anchor of another file")]
#[case::a_circle("a.yaml#/circle", "`../openapi.yaml#")]
#[case::a_circle_of_files("a.yaml#/round", "refers to itself and to no value")]
#[case::another_version("old.yaml#/x", "openapi.yaml:4: `old.yaml#/x` leads to a document of another version (3.0.3)")]
#[case::swagger(
    "swagger.yaml#/x",
    "openapi.yaml:4: `swagger.yaml#/x` leads to a document of another version (Swagger 2.0"
)]
#[case::no_yaml("wrong.yaml", "wrong.yaml: line 1, column ")]
fn what_cannot_be_followed_is_refused_with_its_line(#[case] reference: &str, #[case] why: &str) {
    let root = format!("openapi: 3.1.0\npaths:\n  /a:\n    $ref: '{reference}'\n");
    let files = [
        ("openapi.yaml", root.as_str()),
        (
            "a.yaml",
            "own: {get: {responses: {'200': {$ref: '#/none'}}}}\nround: {$ref: 'b.yaml#/round'}\ncircle: {$ref: './openapi.yaml#/paths/~1a'}\n",
        ),
        ("b.yaml", "round: {$ref: 'a.yaml#/round'}\n"),
        ("old.yaml", "openapi: 3.0.3\nx: {}\n"),
        ("swagger.yaml", "swagger: '2.0'\nx: {}\n"),
        ("wrong.yaml", "a: [\nb: }\n"),
    ];
    let found = refused(&files);
    let why = if reference.ends_with("/circle") { "refers to itself" } else { why };
    assert!(found.contains(why), "{found}");
}

#[test]
fn what_nothing_refers_to_is_not_looked_at() {
    let root = "openapi: 3.1.0\npaths: {}\nx-more: {$ref: gone.yaml}\ncomponents: {schemas: {A: {$ref: 'a.yaml#/A', example: {$ref: none.yaml}}}}";
    let a = "A: {type: object, default: {$ref: nobody.yaml}}\nB: {$ref: 'https://example.org/b.yaml'}";
    let files = contract(&[("openapi.yaml", root), ("a.yaml", a)]);
    let value = Contract::of(&files).unwrap().value();
    assert_eq!(value["x-more"]["$ref"], "gone.yaml");
}

#[test]
fn files_that_repeat_each_other_end() {
    let line = |next: &str| {
        let key = |name: &str| format!("{name}: {{$ref: '{next}'}}\n");
        ["a", "b", "c", "d", "e", "f", "g", "h"].map(key).concat()
    };
    let names: Vec<(String, String)> =
        (0..12).map(|n| (format!("{n}.yaml"), line(&format!("{}.yaml", n + 1)))).collect();
    let mut files = vec![("openapi.yaml", "openapi: 3.1.0\npaths: {/a: {$ref: 0.yaml}}"), ("12.yaml", "x: 1")];
    files.extend(names.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    assert!(refused(&files).contains("larger than 100000 values"));
}

#[test]
fn files_that_lie_too_deep_in_each_other_are_refused() {
    let names: Vec<(String, String)> =
        (0..300).map(|n| (format!("{n}.yaml"), format!("a: {{$ref: {}.yaml}}", n + 1))).collect();
    let mut files = vec![("openapi.yaml", "openapi: 3.1.0\npaths: {/a: {$ref: 0.yaml}}"), ("300.yaml", "x: 1")];
    files.extend(names.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let found = refused(&files);
    assert!(found.contains("yaml:1: `") && found.contains("is nested too deeply"), "{found}");
}

/// Schemas that refer to each other: for each its constraint, the schemas that its properties have, and its file.
fn schemas() -> impl Strategy<Value = Vec<(u8, Vec<usize>, usize)>> {
    prop::collection::vec((any::<u8>(), prop::collection::vec(0_usize..6, 0..4), 0_usize..4), 6)
}

/// Writes the schemas, each in the file that `file` names, as one text a file.
fn texts(schemas: &[(u8, Vec<usize>, usize)], file: impl Fn(usize) -> usize) -> Vec<(String, String)> {
    let name = |at: usize| if at == 0 { "openapi.json".to_owned() } else { format!("s/{at}.json") };
    let reference = |from: usize, to: usize| {
        let way = match (file(from), file(to)) {
            (a, b) if a == b => String::new(),
            (0, b) => name(b),
            (_, 0) => "../openapi.json".to_owned(),
            (_, b) => format!("{b}.json"),
        };
        json!({"$ref": format!("{way}#/components/schemas/S{to}")})
    };
    let one = |at: usize| {
        let here = schemas.iter().enumerate().filter(|(index, _)| file(*index) == at);
        let all = here.map(|(index, (limit, below, _))| {
            let properties = below.iter().enumerate().map(|(n, to)| (format!("p{n}"), reference(index, *to)));
            let schema = json!({"minProperties": limit, "properties": properties.collect::<Map<_, _>>()});
            (format!("S{index}"), schema)
        });
        let mut whole = json!({"components": {"schemas": all.collect::<Map<_, _>>()}});
        if at == 0 {
            whole["openapi"] = json!("3.1.0");
            let schema = if file(0) == 0 {
                "#/components/schemas/S0".to_owned()
            } else {
                format!("s/{}.json#/components/schemas/S0", file(0))
            };
            whole["paths"] = json!({"/a": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": schema}}}}}}}});
        }
        (name(at), whole.to_string())
    };
    (0..4).map(one).collect()
}

proptest! {
    #[test]
    fn however_schemas_are_put_into_files_nothing_changes(schemas in schemas(), other in schemas()) {
        let read = |texts: &[(String, String)]| contract(&texts.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect::<Vec<_>>());
        let single = |schemas: &[(u8, Vec<usize>, usize)]| read(&texts(schemas, |_| 0));
        let several = |schemas: &[(u8, Vec<usize>, usize)]| read(&texts(schemas, |at| schemas[at].2));
        prop_assert_eq!(changes(&single(&schemas), &several(&schemas)), vec![]);
        let ids = |old: &Files, new: &Files| {
            let found = changes(old, new);
            found.iter().map(|change| (change.id, change.place.clone(), change.after.clone())).collect::<Vec<_>>()
        };
        prop_assert_eq!(ids(&single(&schemas), &single(&other)), ids(&several(&schemas), &several(&other)));
        let bundled = several(&schemas);
        let contract = Contract::of(&bundled).unwrap();
        let value: Value = contract.value();
        prop_assert!(!value.to_string().contains('\0') && !value.to_string().contains(".json#"));
    }
}
