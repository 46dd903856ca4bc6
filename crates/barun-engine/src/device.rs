//! Where programs run: threads and instruction set.

use std::sync::{Arc, OnceLock};

use crate::cpu::isa::Isa;
use crate::cpu::team::{Team, default_threads};
use crate::error::{Error, Result};

/// The CPU as a program sees it: a team of threads and the instructions they may use. Cheap to clone.
#[derive(Clone)]
pub struct Device(Arc<Cpu>);

struct Cpu {
    team: Team,
    isa: Isa,
}

/// What a [`Device`] is made of; what is not given comes from `BARUN_THREADS` and `BARUN_ISA`, or the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceOptions {
    /// Threads; by default as many as the process may use.
    pub threads: Option<usize>,
    /// Instruction set; by default the widest the machine has.
    pub isa: Option<Isa>,
}

impl Device {
    /// A device of its own. An error if an environment variable says something impossible.
    pub fn new(options: DeviceOptions) -> Result<Device> {
        let threads = default_threads(options.threads).map_err(|error| Error::Option(error.to_string()))?;
        let isa = match options.isa {
            Some(isa) if isa.is_available() => isa,
            Some(isa) => return Err(Error::Option(format!("this machine does not have {isa} instructions"))),
            None => Isa::from_env_or_detect().map_err(|error| Error::Option(error.to_string()))?,
        };
        Ok(Device(Arc::new(Cpu { team: Team::new(threads), isa })))
    }

    /// The device everything uses that names none: made once, from the environment and the machine.
    pub fn shared() -> Result<Device> {
        static SHARED: OnceLock<Result<Device>> = OnceLock::new();
        SHARED.get_or_init(|| Device::new(DeviceOptions::default())).clone()
    }

    /// How many threads work on a program.
    pub fn threads(&self) -> usize {
        self.0.team.threads()
    }

    /// The instruction set of its kernels.
    pub fn isa(&self) -> Isa {
        self.0.isa
    }

    pub(crate) fn team(&self) -> &Team {
        &self.0.team
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} threads, {}", self.threads(), self.isa())
    }
}
