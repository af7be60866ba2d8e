//! What a process costs, by the system's own accounts.

use std::fs;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;

/// The processor time that a process has used, its own and the system's for it, with that of threads that have ended.
/// `None`: there is no such process.
pub fn cpu_time(process: u32) -> Option<Duration> {
    let process = Pid::from_raw(i32::try_from(process).ok()?);
    Some(ClockId::pid_cpu_clock_id(process).ok()?.now().ok()?.into())
}

/// Resident memory in bytes, as [`cpu_time`].
pub fn memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The machine in a few words.
pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1)).unwrap_or("unknown");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} ({cores} cores), Linux {}", name.trim(), kernel.trim())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// More than Linux numbers processes with.
    const PIDS: u32 = 1 << 22;

    #[test]
    fn what_a_thread_has_used_counts_when_it_has_ended() {
        let own = || cpu_time(std::process::id()).expect("this process runs");
        let (before, long) = (own(), Duration::from_millis(50));
        let busy = move || {
            let since = Instant::now();
            while since.elapsed() < 4 * long {}
        };
        std::thread::spawn(busy).join().expect("it ends");
        let used = own() - before;
        assert!(used > long, "{used:?}");
    }

    #[test]
    fn nobody_has_used_anything() {
        for process in [PIDS, u32::MAX] {
            assert_eq!(cpu_time(process), None);
        }
    }
}
