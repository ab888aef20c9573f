use super::*;
use nexus_core::call::EndReason;
use nexus_core::time::UnixMs;

const LIMIT: Duration = Duration::from_secs(10);

fn meta() -> Meta {
    Meta { call: CallId::new(UnixMs(1), [1; 10]), epoch: Epoch(2), audio: AudioFormat::BROWSER }
}

fn started(root: &Path) -> (Spool, CallSpool, WrittenReceiver) {
    let spool = Spool::start(root).unwrap();
    let (call, written) = spool.open(meta());
    (spool, call, written)
}

fn connected() -> What {
    What::Connected { region: "fra".to_owned() }
}

#[test]
fn what_is_written_comes_out_in_order_and_ends_with_the_call() {
    let root = tempfile::tempdir().unwrap();
    let (spool, mut call, mut written) = started(root.path());
    assert_eq!(call.append(CallMs(5), connected()), 1);
    let segment = SegmentStart { n: 0, start_ms: 40 };
    call.audio(segment, vec![1, 2, 3, 4]);
    call.audio(segment, vec![5, 6, 7, 8]);
    call.end_segment();
    assert_eq!(call.append(CallMs(9), What::Ended { reason: EndReason::Idle }), 2);
    drop(call);
    assert!(spool.flush(LIMIT));
    let mut all = Vec::new();
    while let Some(one) = written.blocking_recv() {
        all.push(one);
    }
    let [Written::Entry(first), Written::Segment(file), Written::Entry(second)] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!((first.seq, second.seq, file.n, file.start_ms), (1, 2, 0, 40));
    assert_eq!(std::fs::read(&file.path).unwrap(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_killed_process_leaves_whole_entries_and_whole_samples() {
    let root = tempfile::tempdir().unwrap();
    let (spool, mut call, _written) = started(root.path());
    call.append(CallMs(1), connected());
    call.append(CallMs(2), What::Disconnected {});
    call.audio(SegmentStart { n: 0, start_ms: 0 }, vec![7; 8]);
    call.end_segment();
    // Two channels of 16 bits: a frame of four bytes and half of the next.
    call.audio(SegmentStart { n: 1, start_ms: 10_000 }, vec![8; 6]);
    assert!(spool.flush(LIMIT));
    let dir = spool.dir(meta().call, meta().epoch);
    let torn = std::fs::OpenOptions::new().append(true).open(dir.join("journal.jsonl"));
    std::io::Write::write_all(&mut torn.unwrap(), b"{\"seq\":3,\"at\"").unwrap();

    let found = leftovers(root.path());
    let [leftover] = &found[..] else { panic!("{found:?}") };
    assert_eq!(leftover.meta, meta());
    let seqs: Vec<u32> = leftover
        .written
        .iter()
        .filter_map(|one| match one {
            Written::Entry(entry) => Some(entry.seq),
            Written::Segment(_) => None,
        })
        .collect();
    assert_eq!(seqs, [1, 2]);
    let sizes: Vec<(u32, u64, usize)> = leftover
        .written
        .iter()
        .filter_map(|one| match one {
            Written::Segment(file) => {
                Some((file.n, file.start_ms, std::fs::read(&file.path).unwrap().len()))
            }
            Written::Entry(_) => None,
        })
        .collect();
    assert_eq!(sizes, [(0, 0, 8), (1, 10_000, 4)]);
    drop(call);
}

#[test]
fn foreign_files_are_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let odd = root.path().join("call_x").join("1");
    std::fs::create_dir_all(&odd).unwrap();
    std::fs::write(odd.join("meta.json"), b"not json").unwrap();
    std::fs::write(root.path().join("stray"), b"").unwrap();
    assert_eq!(leftovers(root.path()), []);
    assert!(odd.join("meta.json").exists());
}
