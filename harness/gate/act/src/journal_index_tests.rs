use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use stagegate_gate_decide::promotion::{Entry, Line, chained, read as read_journal};

use super::*;

const JOURNALS: [&[u8]; 3] = [
    include_bytes!("../../../../fixtures/journals/format-1/promoted.jsonl"),
    include_bytes!("../../../../fixtures/journals/format-1/rolled-back.jsonl"),
    include_bytes!("../../../../fixtures/journals/format-1/killed.jsonl"),
];

/// A folder of runs that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NTH: AtomicUsize = AtomicUsize::new(0);
        let nth = NTH.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("stagegate-index-{}-{nth}", std::process::id()));
        fs::create_dir_all(dir.join("runs")).unwrap();
        Folder(dir)
    }

    fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    fn journal(&self, nth: usize) -> PathBuf {
        self.runs().join(format!("20260101-{nth:06}-ab12")).join(journal::FILE_NAME)
    }

    /// Writes a run of so many lines, chained like one that the gate wrote.
    fn write(&self, nth: usize, kind: usize, count: usize) {
        let lines = read_journal(JOURNALS[kind]).unwrap().lines;
        let (mut text, mut prev) = (String::new(), String::new());
        for line in lines.into_iter().take(count) {
            let run = format!("20260101-{nth:06}-ab12");
            let entry = match line.entry {
                Entry::Started { mut plan } => {
                    plan.run.clone_from(&run);
                    Entry::Started { plan }
                }
                other => other,
            };
            let (line, hash) = chained(&Line { run, entry, prev, v: journal_version(), ..line }).unwrap();
            text.push_str(&line);
            prev = hash;
        }
        let path = self.journal(nth);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn journal_version() -> u32 {
    stagegate_gate_decide::promotion::VERSION
}

/// Opens an index of its own, which nobody shares.
fn open(runs: &Path) -> RunIndex<RunSummary> {
    RunIndex::open(runs, &SUMMARIES.form)
}

fn file(runs: &Path) -> PathBuf {
    runs.with_file_name(SUMMARIES.form.file_name)
}

/// What a list shows; a journal that cannot be read is in it with its reason.
fn list(index: &mut RunIndex<RunSummary>) -> Vec<String> {
    let folders = index.folders();
    let shown = folders.iter().filter_map(|dir| match index.run(dir) {
        Ok(run) => run.map(|run| format!("{} {}", run.json(), run.lines(0.0, &name(dir)))),
        Err(error) => Some(stagegate_host::error::chain(&error)),
    });
    let shown = shown.collect();
    index.keep(&folders, 1);
    shown
}

/// The same, read from the journals alone.
fn recount(runs: &Path) -> Vec<String> {
    journal::runs(runs)
        .iter()
        .filter_map(|dir| match journal::lines(dir) {
            Ok(lines) => RunSummary::of(&lines).map(|run| format!("{} {}", run.json(), run.lines(0.0, &name(dir)))),
            Err(error) => Some(stagegate_host::error::chain(&error)),
        })
        .collect()
}

/// Something that happens to the runs or to the index between two lists.
#[derive(Clone, Debug)]
enum Change {
    Write(usize, usize, usize),
    Remove(usize),
    Cut(usize, usize),
    Flip(usize, usize),
    DamageIndex(usize),
    CutIndex(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (0..8_usize, 0..3_usize, 1..60_usize).prop_map(|(run, kind, count)| Change::Write(run, kind, count)),
        1 => (0..8_usize).prop_map(Change::Remove),
        1 => (0..8_usize, 0..4_000_usize).prop_map(|(run, at)| Change::Cut(run, at)),
        1 => (0..8_usize, 0..4_000_usize).prop_map(|(run, at)| Change::Flip(run, at)),
        1 => (0..9_000_usize).prop_map(Change::DamageIndex),
        1 => (0..9_000_usize).prop_map(Change::CutIndex),
    ]
}

fn edit(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let Ok(mut text) = fs::read(path) else { return };
    edit(&mut text);
    fs::write(path, text).unwrap();
}

fn flip(text: &mut [u8], at: usize) {
    let length = text.len().max(1);
    if let Some(byte) = text.get_mut(at % length) {
        *byte ^= 1;
    }
}

proptest! {
    #[test]
    fn a_list_by_the_index_equals_one_of_the_journals(changes in prop::collection::vec(change(), 1..10)) {
        let folder = Folder::new();
        let mut stays = open(&folder.runs());
        for change in changes {
            match change {
                Change::Write(run, kind, count) => folder.write(run, kind, count),
                Change::Remove(run) => drop(fs::remove_dir_all(folder.journal(run).parent().unwrap())),
                Change::Cut(run, at) => edit(&folder.journal(run), |text| text.truncate(at)),
                Change::Flip(run, at) => edit(&folder.journal(run), |text| flip(text, at)),
                Change::DamageIndex(at) => edit(&file(&folder.runs()), |text| flip(text, at)),
                Change::CutIndex(at) => edit(&file(&folder.runs()), |text| text.truncate(at)),
            }
            let want = recount(&folder.runs());
            prop_assert_eq!(&list(&mut open(&folder.runs())), &want);
            prop_assert_eq!(&list(&mut stays), &want);
        }
    }
}

#[test]
fn a_run_that_ended_is_read_once_and_one_that_goes_on_each_time() {
    let folder = Folder::new();
    folder.write(1, 0, 1_000);
    folder.write(2, 2, 1_000);
    list(&mut open(&folder.runs()));
    let mut index = open(&folder.runs());
    assert_eq!(index.known.len(), 1);
    let before = list(&mut index);
    // A text in the index that no journal has is shown: the journal was not read.
    let [known] = index.known.values_mut().collect::<Vec<_>>().try_into().unwrap();
    known.run.text = "from the index".to_owned();
    assert!(list(&mut index)[0].contains("from the index"));
    // The same bytes, written anew.
    edit(&folder.journal(1), |_| {});
    assert_eq!(list(&mut index), before);
}

#[test]
fn an_index_of_another_program_is_as_none() {
    let folder = Folder::new();
    folder.write(1, 1, 1_000);
    list(&mut open(&folder.runs()));
    let path = file(&folder.runs());
    let text = fs::read_to_string(&path).unwrap();
    assert!(read::<RunSummary>(text.as_bytes()).is_some());
    let other = text.replacen(&program(), "0.0.0 of somebody else", 1);
    assert!(other != text && read::<RunSummary>(other.as_bytes()).is_none());
}

#[test]
fn a_folder_that_cannot_be_written_is_read_all_the_same() {
    let folder = Folder::new();
    folder.write(1, 0, 1_000);
    // In the place of the file: no right keeps root from writing.
    fs::create_dir(file(&folder.runs())).unwrap();
    let mut index = open(&folder.runs());
    assert_eq!(list(&mut index), recount(&folder.runs()));
}
