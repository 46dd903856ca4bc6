//! How much memory the machine could still give this process.
//!
//! On Linux it is what the kernel calls available, or what is left under the limits of the process's control groups
//! (containers set them), whichever is less. Pages that only cache files count as free, since they give way. Elsewhere
//! it is not known.

use std::fs;
use std::path::{Path, PathBuf};

/// The bytes that can still be had; `None` where that is not known.
pub fn available_bytes() -> Option<usize> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let free = fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_machine(&text))?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let left =
        folders(&groups, Path::new("/sys/fs/cgroup")).into_iter().filter_map(|folder| left_in(&folder));
    Some(left.chain([free]).min().unwrap_or(free))
}

fn of_machine(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? * 1024)
}

/// The folders of the process's memory groups: its own and all above it, each of which may set a limit. Inside a
/// container the path may be that of the host; the root is what the container sees.
fn folders(groups: &str, root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![];
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let base = match controllers {
            "" => root.to_path_buf(),
            _ if controllers.split(',').any(|name| name == "memory") => root.join("memory"),
            _ => continue,
        };
        let own = base.join(path.trim_start_matches('/'));
        folders.extend(own.ancestors().take_while(|folder| folder.starts_with(&base)).map(Path::to_path_buf));
    }
    folders
}

/// What a group may still take; `None` without a limit. The names are those of version 2, then of version 1.
fn left_in(folder: &Path) -> Option<usize> {
    let read = |names: [&str; 2]| names.iter().find_map(|name| fs::read_to_string(folder.join(name)).ok());
    let number = |text: String| text.trim().parse::<usize>().ok();
    let limit = number(read(["memory.max", "memory.limit_in_bytes"])?)?;
    let used = number(read(["memory.current", "memory.usage_in_bytes"])?)?;
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let of = |name: &str| {
        let value = |line: &str| line.strip_prefix(name)?.trim().parse::<usize>().ok();
        stat.lines().find_map(value)
    };
    let cache = of("total_inactive_file ").or_else(|| of("inactive_file ")).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(cache)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figure_is_read() {
        let meminfo = "MemTotal:  8000000 kB\nMemFree:  100 kB\nMemAvailable:    4000000 kB\n";
        assert_eq!(of_machine(meminfo), Some(4_096_000_000));
        assert_eq!(of_machine("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn every_group_above_the_process_may_set_a_limit() {
        let root = Path::new("/cg");
        let own = ["/cg/a/b", "/cg/a", "/cg"].map(PathBuf::from);
        assert_eq!(folders("0::/a/b\n", root), own);
        let memory = ["/cg/memory/x", "/cg/memory"].map(PathBuf::from);
        assert_eq!(folders("5:cpu,cpuacct:/x\n4:memory:/x\n", root), memory);
        assert_eq!(folders("nonsense\n", root), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_limit_leaves_what_is_not_used_but_for_cached_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("memory.current", "700\n");
        assert_eq!(left_in(folder.path()), None);
        write("memory.max", "max\n");
        assert_eq!(left_in(folder.path()), None);
        write("memory.max", "1000\n");
        assert_eq!(left_in(folder.path()), Some(300));
        write("memory.stat", "anon 500\nfile 200\ninactive_file 150\n");
        assert_eq!(left_in(folder.path()), Some(450));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_says_something_plausible() {
        let bytes = available_bytes().unwrap();
        assert!(bytes > 1 << 20 && bytes < 1 << 50, "{bytes}");
    }
}
