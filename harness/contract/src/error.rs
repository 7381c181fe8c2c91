//! Why a text is no document.

/// Why a text is no document that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// It is not JSON, or not YAML.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong there.
        message: String,
    },
    /// It is no OpenAPI document, or one of another version.
    #[error("{found}; an OpenAPI document begins with `openapi: 3.0.x` or `openapi: 3.1.x`")]
    Version {
        /// What it states about itself.
        found: String,
    },
    /// A reference leads out of the document.
    #[error(
        "{at}: `{reference}` points outside of the document, which is not read; bundle it into one file, such as with \
         `npx @redocly/cli bundle FILE --output BUNDLED`"
    )]
    Remote {
        /// JSON pointer of the reference.
        at: String,
        /// The reference.
        reference: String,
    },
    /// A dynamic reference leads to one of several schemas, depending on who refers.
    #[error(
        "{at}: `$dynamicRef: {reference}` may lead to several schemas ({targets}); write a `$ref` to the one that is meant"
    )]
    Dynamic {
        /// JSON pointer of the reference.
        at: String,
        /// The reference.
        reference: String,
        /// JSON pointers of the schemas.
        targets: String,
    },
    /// A keyword that is not supported where it stands, and changes what a schema means.
    #[error("{at}: `{keyword}` is not supported here; write a `$ref` to the schema that is meant")]
    Keyword {
        /// JSON pointer of the schema.
        at: String,
        /// The keyword.
        keyword: &'static str,
    },
    /// A reference leads to nothing.
    #[error("{at}: `{reference}` is not in the document; add what it names, or correct the reference")]
    Dangling {
        /// JSON pointer of the reference.
        at: String,
        /// The reference.
        reference: String,
    },
    /// References lead to each other and to nothing else.
    #[error("{at}: `{reference}` refers to itself and to no value")]
    Circle {
        /// JSON pointer of the reference.
        at: String,
        /// The reference.
        reference: String,
    },
    /// A reference of a contract of several files that cannot be followed.
    #[error("{file}:{line}: `{reference}` {problem}")]
    Reference {
        /// The file that holds it.
        file: String,
        /// Its line, from 1.
        line: u32,
        /// The reference.
        reference: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// One of a contract's files is wrong.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: Box<ContractError>,
    },
    /// References repeat what they lead to until no memory would hold it.
    #[error(
        "the references of the contract's files make it larger than {nodes} values; name what is used often below `components`"
    )]
    Size {
        /// How many values it may have.
        nodes: usize,
    },
}

/// Why a reference to a file cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It leads to another host.
    #[error(
        "is not a file of the release, and nothing is fetched; save it as a file next to the contract, or bundle the \
         contract into one file, such as with `npx @redocly/cli bundle FILE --output BUNDLED`"
    )]
    Url,
    /// It does not begin at the file that holds it.
    #[error("is an absolute path; write the path from the file that holds the reference")]
    Absolute,
    /// It leads above the release's folder.
    #[error("leads out of the release; move the file next to the contract")]
    Outside,
    /// The file is not there or may not be read.
    #[error("{0}; add the file, or correct the reference")]
    Unreadable(String),
    /// The file does not have it.
    #[error("leads to nothing: {file} has no `#{fragment}`; add what it names, or correct the reference")]
    Missing {
        /// The file that it leads to.
        file: String,
        /// JSON pointer.
        fragment: String,
    },
    /// It names an anchor of another file.
    #[error("names an anchor of another file; write a JSON pointer, as in `{0}#/components/schemas/NAME`")]
    Anchor(String),
    /// It leads to itself and to no value.
    #[error("refers to itself and to no value")]
    Circle,
    /// The file is a document of another version.
    #[error("leads to a document of another version ({found}); give both the same `openapi`")]
    Version {
        /// What it states about itself.
        found: String,
    },
    /// It leads through too many files, or into values that are nested too deeply.
    #[error("is nested too deeply: files refer to files more than {0} levels down")]
    Depth(usize),
}
