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
    #[error("no peer to compare with. {0}; give a Python that has torch or jax: --python PATH")]
    NoPeer(String),
}
