//! What can go wrong in measuring.

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in measuring.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A workload that is not known, or one that does not compile.
    #[error(transparent)]
    Model(#[from] barun_nn::Error),
    /// The engine, such as an impossible number of threads.
    #[error(transparent)]
    Engine(#[from] barun_engine::Error),
    /// The peers' programs could not be written to a temporary folder.
    #[error("cannot write the peers' programs to a temporary folder")]
    Unpack(#[source] std::io::Error),
    /// A peer did not start, or ended too early.
    #[error("{peer} ({program}): {problem}")]
    Peer {
        /// Who.
        peer: &'static str,
        /// The Python that was to run it.
        program: String,
        /// What happened.
        problem: String,
    },
    /// The one who hears of the measuring wants no more of it.
    #[error("stopped")]
    Stopped,
    /// No peer could be started.
    #[error("no peer to compare with. {problems}; give a Python that has {wanted}: --python PATH")]
    NoPeer {
        /// Why each did not start.
        problems: String,
        /// The packages that are looked for.
        wanted: String,
    },
    /// A whole run, its data or its doctor.
    #[error(transparent)]
    Run(#[from] barun_train::Error),
    /// The data to train on.
    #[error(transparent)]
    Data(#[from] barun_data::Error),
    /// The system does not tell how much memory a process holds.
    #[error(
        "cannot read the resident memory from /proc/self/status; memory can be measured on Linux only. {0}"
    )]
    Resident(String),
    /// The process that was to measure its own memory.
    #[error("{program} {arguments} did not answer: {problem}")]
    Child {
        /// The program.
        program: String,
        /// How it was called.
        arguments: String,
        /// What happened.
        problem: String,
    },
}
