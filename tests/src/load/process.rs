//! What processes cost, from Linux's `/proc` (proc(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use crate::client::Outcome;

/// Length of a tick: `USER_HZ` is 100 on every Linux.
const TICK_MS: u64 = 10;

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    ticks: u64,
}

/// Reads `/proc/PID/stat`; the name in parentheses may hold anything.
fn parse(stat: &str) -> Option<Stat> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let user: u64 = fields.nth(9)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Stat { parent, ticks: user + system })
}

const fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * TICK_MS)
}

/// CPU time of a process so far.
pub(super) fn cpu(pid: u32) -> Outcome<Duration> {
    let stat = parse(&fs::read_to_string(format!("/proc/{pid}/stat"))?);
    Ok(ticks(stat.ok_or("a stat file without its fields")?.ticks))
}

/// CPU time so far of a process and all that descend from it and still run.
pub(super) fn tree_cpu(root: u32) -> Outcome<Duration> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.filter_map(Result::ok) {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(pid) = pid else { continue };
        // It may have ended since the listing.
        if let Some(stat) =
            fs::read_to_string(entry.path().join("stat")).ok().and_then(|s| parse(&s))
        {
            all.insert(pid, stat);
        }
    }
    if !all.contains_key(&root) {
        return Err(format!("there is no process {root}").into());
    }
    Ok(ticks(sum(&all, root)))
}

fn sum(all: &BTreeMap<u32, Stat>, root: u32) -> u64 {
    let mut tree = BTreeSet::from([root]);
    loop {
        let children = all.iter().filter(|(_, stat)| tree.contains(&stat.parent));
        let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
        let before = tree.len();
        tree.extend(children);
        if tree.len() == before {
            break;
        }
    }
    tree.iter().filter_map(|pid| all.get(pid)).map(|stat| stat.ticks).sum()
}

/// Memory of a process, in KiB: with the parts of its program that are loaded.
pub(super) fn rss_kib(pid: u32) -> Outcome<u64> {
    memory_kib(pid, "VmRSS:")
}

/// Memory of a process that is in no file, in KiB: heap and stacks.
pub(super) fn anonymous_kib(pid: u32) -> Outcome<u64> {
    memory_kib(pid, "RssAnon:")
}

fn memory_kib(pid: u32, name: &str) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| format!("a status file without {name}").into())
}

/// CPU time that the whole machine has used so far, with what its host took from it.
pub(super) fn machine_cpu() -> Outcome<Duration> {
    let busy = busy_ticks(&fs::read_to_string("/proc/stat")?);
    Ok(ticks(busy.ok_or("a /proc/stat without its first line")?))
}

/// user, nice, system, irq, softirq and steal of all cores; not idle and iowait.
fn busy_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields = line.split_whitespace().take(8).enumerate();
    let busy = fields.filter(|(index, _)| !matches!(index, 3 | 4));
    busy.map(|(_, field)| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_hides_nothing() {
        let stat = "42 (a) b) S 7 42 42 0 -1 4194560 1 2 3 4 150 25 9 9 20 0 4 0 100 1 1";
        assert_eq!(parse(stat), Some(Stat { parent: 7, ticks: 175 }));
        assert_eq!(parse("42 (a"), None);
    }

    #[test]
    fn a_tree_holds_grandchildren_and_no_strangers() {
        let stat = |parent, ticks| Stat { parent, ticks };
        let all = BTreeMap::from([
            (1, stat(0, 1000)),
            (10, stat(1, 1)),
            (5, stat(20, 4)),
            (20, stat(10, 2)),
            (30, stat(1, 8)),
        ]);
        assert_eq!(sum(&all, 10), 7);
    }

    #[test]
    fn idle_time_is_not_busy() {
        assert_eq!(busy_ticks("cpu  1 2 4 1000 2000 8 16 32 64 128\ncpu0 1"), Some(63));
        assert_eq!(busy_ticks(""), None);
    }

    #[test]
    fn this_process_has_memory_and_a_parent() {
        let pid = std::process::id();
        assert!(rss_kib(pid).unwrap() > anonymous_kib(pid).unwrap());
        assert!(anonymous_kib(pid).unwrap() > 100);
        assert!(tree_cpu(pid).unwrap() >= cpu(pid).unwrap().saturating_sub(ticks(5)));
        assert!(machine_cpu().unwrap() > Duration::ZERO);
    }
}
