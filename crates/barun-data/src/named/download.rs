//! Fetching a published file: from the first mirror that has it, going on where it broke off, kept only if it is what
//! was published.
//!
//! What comes is written to `.NAME.part` beside its place. A connection that breaks is taken up again from there (an
//! HTTP range), on another mirror if need be, also by a later run. Only when its length and checksum are right does the
//! file get its name, by a rename. Two processes that want the same file take turns.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use md5::Md5;
use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::http::{Response, StatusCode, header};

use super::{Checksum, Published};
use crate::error::{Error, Result};

/// How often a mirror is asked again after a connection broke, as long as something came.
const TRIES: usize = 4;
const CONNECT: Duration = Duration::from_secs(15);
/// For the headers of an answer, and between two pieces of a file.
const SILENCE: Duration = Duration::from_secs(30);
/// Between two lines about how far it is.
const BYTES_A_LINE: u64 = 16 << 20;

/// Fetches a file into a folder.
///
/// # Errors
/// [`Error::Fetch`] with what each mirror said, [`Error::Write`].
pub(super) fn fetch(published: &Published, mirrors: &[&str], folder: &Path, tell: fn(&str)) -> Result<()> {
    let path = folder.join(published.file);
    let write = |source| Error::Write { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(write)?;
    let mut part = Part::open(folder, published).map_err(write)?;
    if path.is_file() {
        return part.discard().map_err(write); // whoever had the lock before has fetched it
    }
    let agent = agent();
    let mut tried = Vec::new();
    for mirror in mirrors {
        let url = format!("{mirror}{}", published.file);
        match from_mirror(&agent, &url, &mut part, tell) {
            Ok(()) => return part.keep(&path).map_err(write),
            Err(Failure::Disk(source)) => return Err(write(source)),
            Err(Failure::Mirror(problem)) => tried.push(format!("{url}: {problem}")),
        }
    }
    Err(Error::Fetch { file: published.file.to_string(), folder: folder.to_path_buf(), tried })
}

fn agent() -> Agent {
    let config = Agent::config_builder()
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .http_status_as_error(false)
        .user_agent(concat!("barun/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

/// Why a file did not come.
#[derive(Debug)]
enum Failure {
    /// Another mirror may do better.
    Mirror(String),
    /// No mirror helps.
    Disk(std::io::Error),
}

fn mirror(problem: impl ToString) -> Failure {
    Failure::Mirror(problem.to_string())
}

/// Asks a mirror until the file is there, as long as each answer brings something.
fn from_mirror(agent: &Agent, url: &str, part: &mut Part<'_>, tell: fn(&str)) -> Result<(), Failure> {
    let mut problem = None;
    for _ in 0..TRIES {
        let before = part.bytes;
        match answer(agent, url, part, tell) {
            Ok(()) => return part.verify(),
            Err(failure @ Failure::Disk(_)) => return Err(failure),
            Err(Failure::Mirror(found)) if part.bytes <= before => return Err(Failure::Mirror(found)),
            Err(Failure::Mirror(found)) => problem = Some(found),
        }
    }
    Err(Failure::Mirror(format!("the connection broke {TRIES} times: {}", problem.unwrap_or_default())))
}

/// One answer of a mirror, written to the part.
fn answer(agent: &Agent, url: &str, part: &mut Part<'_>, tell: fn(&str)) -> Result<(), Failure> {
    if part.bytes == part.published.bytes {
        return Ok(()); // all of it came before, and only the check is left
    }
    let mut request = agent.get(url);
    if part.bytes > 0 {
        request = request.header(header::RANGE, format!("bytes={}-", part.bytes));
    }
    let mut response = request.call().map_err(mirror)?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT if starts_at(&response) == Some(part.bytes) => {}
        // The whole file: the server does not know ranges, or it was asked for none.
        StatusCode::OK => part.restart().map_err(Failure::Disk)?,
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            part.restart().map_err(Failure::Disk)?;
            return Err(mirror("it cannot go on where the connection broke"));
        }
        status => return Err(mirror(format!("it answered {status}"))),
    }
    part.write_all_of(response.body_mut().as_reader(), tell)
}

/// Where the bytes of an answer begin: `Content-Range: bytes 100-999/1000`.
fn starts_at<B>(response: &Response<B>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

/// What has come of a file. This process has it for itself.
struct Part<'a> {
    published: &'a Published,
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl<'a> Part<'a> {
    fn open(folder: &Path, published: &'a Published) -> std::io::Result<Part<'a>> {
        let path = folder.join(format!(".{}.part", published.file));
        loop {
            let mut options = OpenOptions::new();
            let mut file = options.read(true).write(true).create(true).truncate(false).open(&path)?;
            match file.lock() {
                // A file system without locks: better an unguarded file than none.
                Err(error) if error.kind() != std::io::ErrorKind::Unsupported => return Err(error),
                _ => {}
            }
            // Whoever had the lock may have renamed or removed what was opened.
            if !path.exists() {
                continue;
            }
            let bytes = file.seek(SeekFrom::End(0))?;
            let mut part = Part { published, path, file, bytes };
            if part.bytes > published.bytes {
                part.restart()?;
            }
            return Ok(part);
        }
    }

    fn restart(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.bytes = 0;
        Ok(())
    }

    fn write_all_of(&mut self, mut body: impl Read, tell: fn(&str)) -> Result<(), Failure> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(mirror(error)),
            };
            if self.bytes + read as u64 > self.published.bytes {
                self.restart().map_err(Failure::Disk)?;
                return Err(mirror(format!(
                    "it sends more than the {} bytes that were published",
                    self.published.bytes
                )));
            }
            self.file.write_all(&buffer[..read]).map_err(Failure::Disk)?;
            let before = self.bytes;
            self.bytes += read as u64;
            if before / BYTES_A_LINE != self.bytes / BYTES_A_LINE {
                let Published { file, bytes, .. } = self.published;
                tell(&format!("{file}: {} of {} MB", self.bytes / 1_000_000, bytes / 1_000_000));
            }
        }
        match self.bytes == self.published.bytes {
            true => Ok(()),
            false => {
                Err(mirror(format!("it stopped after {} of {} bytes", self.bytes, self.published.bytes)))
            }
        }
    }

    /// Whether it is what was published; if not, nothing of it is kept.
    fn verify(&mut self) -> Result<(), Failure> {
        self.file.seek(SeekFrom::Start(0)).map_err(Failure::Disk)?;
        let (found, expected) = match self.published.checksum {
            Checksum::Sha256(expected) => (digest::<Sha256>(&mut self.file), expected),
            Checksum::Md5(expected) => (digest::<Md5>(&mut self.file), expected),
        };
        let found = found.map_err(Failure::Disk)?;
        if found == expected {
            return Ok(());
        }
        self.restart().map_err(Failure::Disk)?;
        Err(mirror(format!(
            "its checksum is {found}, not {expected} as published: it is damaged, or another file"
        )))
    }

    /// Gives the file its name.
    fn keep(self, path: &Path) -> std::io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)
    }

    fn discard(self) -> std::io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// The digest of what is left in a file, in hexadecimal digits.
fn digest<D: Digest>(file: &mut File) -> std::io::Result<String> {
    let mut digest = D::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => digest.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What a server does with one request.
    #[derive(Clone, Copy, Debug)]
    enum Answer {
        /// Sends what was asked for, ranges too.
        Whole,
        /// Sends the whole file whatever was asked for.
        NoRanges,
        /// Sends so many bytes of what was asked for, and hangs up.
        BreaksAfter(usize),
        /// Sends bytes of the right number that are others.
        Damaged,
        /// Has no such file.
        Missing,
        /// Knows ranges, but not this one.
        WrongRange,
        /// Sends more than was published.
        TooMuch,
    }

    fn content() -> Vec<u8> {
        (0..50_000u32).map(|at| (at * 31 % 251) as u8).collect()
    }

    /// A server that gives one answer after the other, and the requests it has seen.
    struct Server {
        address: String,
        requests: Arc<Mutex<Vec<String>>>,
    }

    impl Server {
        fn start(answers: &[Answer]) -> Server {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("http://{}/", listener.local_addr().unwrap());
            let requests = Arc::new(Mutex::new(Vec::new()));
            let (seen, answers) = (requests.clone(), answers.to_vec());
            std::thread::spawn(move || {
                for answer in answers {
                    let Ok((stream, _)) = listener.accept() else { return };
                    let range = serve(stream, answer);
                    seen.lock().unwrap().push(range);
                }
            });
            Server { address, requests }
        }

        fn ranges(&self) -> Vec<String> {
            // The last request is noted when its answer has been sent, which is when the client may have gone on.
            std::thread::sleep(Duration::from_millis(50));
            self.requests.lock().unwrap().clone()
        }
    }

    /// Answers a request, and gives its range.
    fn serve(mut stream: TcpStream, answer: Answer) -> String {
        let mut range = String::new();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let line = line.unwrap();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("range")
            {
                range = value.to_string();
            }
        }
        let all = content();
        let asked =
            range.strip_prefix("bytes=").and_then(|range| range.trim_end_matches('-').parse::<usize>().ok());
        let from = asked.unwrap_or(0);
        let partial = |from: usize| {
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{}", all.len() - 1, all.len())
        };
        let (status, body) = match answer {
            Answer::Whole | Answer::BreaksAfter(_) if asked.is_some() => {
                (partial(from), all[from..].to_vec())
            }
            Answer::Whole | Answer::BreaksAfter(_) | Answer::NoRanges => ("200 OK".to_string(), all),
            Answer::Damaged => ("200 OK".to_string(), vec![7; all.len()]),
            Answer::Missing => ("404 Not Found".to_string(), b"no".to_vec()),
            Answer::WrongRange => (partial(1), all[1..].to_vec()),
            Answer::TooMuch => ("200 OK".to_string(), [all.clone(), all].concat()),
        };
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let sent = match answer {
            Answer::BreaksAfter(bytes) => bytes.min(body.len()),
            _ => body.len(),
        };
        // A client that has heard enough hangs up.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..sent]));
        range
    }

    /// Fetches [`content`] from the servers, one after the other.
    fn fetched(folder: &Path, servers: &[&Server]) -> Result<()> {
        let sum: String = Sha256::digest(content()).iter().map(|byte| format!("{byte:02x}")).collect();
        let checksum = Checksum::Sha256(Box::leak(sum.into_boxed_str()));
        let published = Published { file: "data.bin", bytes: 50_000, checksum };
        let mirrors: Vec<&str> = servers.iter().map(|server| server.address.as_str()).collect();
        fetch(&published, &mirrors, folder, |_| ())
    }

    /// The file came whole, and nothing else is left.
    fn check(folder: &Path) {
        assert!(fs::read(folder.join("data.bin")).unwrap() == content());
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    fn refused(servers: &[&Server]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let message = fetched(folder.path(), servers).unwrap_err().to_string();
        assert!(!folder.path().join("data.bin").exists());
        message
    }

    #[test]
    fn a_file_comes_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&[Answer::Whole]);
        fetched(&folder.path().join("new/folder"), &[&server]).unwrap();
        check(&folder.path().join("new/folder"));
        assert_eq!(server.ranges(), [""]);
    }

    #[test]
    fn a_broken_connection_is_taken_up_where_it_broke() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&[Answer::BreaksAfter(20_000), Answer::BreaksAfter(5_000), Answer::Whole]);
        fetched(folder.path(), &[&server]).unwrap();
        check(folder.path());
        assert_eq!(server.ranges(), ["", "bytes=20000-", "bytes=25000-"]);
    }

    #[test]
    fn a_later_run_and_another_mirror_go_on_where_the_first_broke() {
        let folder = tempfile::tempdir().unwrap();
        let first = Server::start(&[Answer::BreaksAfter(30_000)]);
        // It has one answer; then nobody listens.
        assert!(fetched(folder.path(), &[&first]).is_err());
        assert_eq!(fs::metadata(folder.path().join(".data.bin.part")).unwrap().len(), 30_000);
        let second = Server::start(&[Answer::Whole]);
        fetched(folder.path(), &[&second]).unwrap();
        check(folder.path());
        assert_eq!(second.ranges(), ["bytes=30000-"]);
    }

    #[test]
    fn a_server_without_ranges_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".data.bin.part"), b"whatever an earlier run has left").unwrap();
        let server = Server::start(&[Answer::NoRanges]);
        fetched(folder.path(), &[&server]).unwrap();
        check(folder.path());
    }

    #[test]
    fn what_is_not_as_published_is_not_kept_and_the_next_mirror_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (bad, missing, good) = (
            Server::start(&[Answer::Damaged]),
            Server::start(&[Answer::Missing]),
            Server::start(&[Answer::Whole]),
        );
        fetched(folder.path(), &[&bad, &missing, &good]).unwrap();
        check(folder.path());
        assert_eq!(good.ranges(), [""], "nothing of the bad file is gone on with");

        let message = refused(&[&Server::start(&[Answer::Damaged]), &Server::start(&[Answer::Missing])]);
        assert!(
            message.contains("its checksum is") && message.contains("it answered 404 Not Found"),
            "{message}"
        );
        assert!(message.contains("data.bin cannot be fetched") && message.contains("by hand"), "{message}");
    }

    #[test]
    fn a_part_left_behind_that_is_not_the_beginning_costs_one_more_request() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".data.bin.part"), vec![9; 10]).unwrap();
        let server = Server::start(&[Answer::Whole]);
        let again = Server::start(&[Answer::Whole]);
        fetched(folder.path(), &[&server, &again]).unwrap();
        check(folder.path());
        assert_eq!((server.ranges(), again.ranges()), (vec!["bytes=10-".to_string()], vec![String::new()]));
    }

    #[test]
    fn answers_that_make_no_sense_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".data.bin.part"), &content()[..100]).unwrap();
        let (wrong, good) = (Server::start(&[Answer::WrongRange]), Server::start(&[Answer::Whole]));
        fetched(folder.path(), &[&wrong, &good]).unwrap();
        check(folder.path());
        assert!(
            refused(&[&Server::start(&[Answer::TooMuch])]).contains("it sends more than the 50000 bytes")
        );
    }

    #[test]
    fn md5_is_checked_too_and_nobody_answering_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, b"abc").unwrap();
        let sum = digest::<Md5>(&mut File::open(&path).unwrap()).unwrap();
        assert_eq!(sum, "900150983cd24fb0d6963f7d28e17f72", "RFC 1321");
        let gone = Server { address: "http://127.0.0.1:1/".to_string(), requests: Arc::default() };
        assert!(refused(&[&gone]).contains("http://127.0.0.1:1/data.bin"));
    }
}
