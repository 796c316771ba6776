//! How a command ends.

use super::out::Gone;
use crate::config::mistakes::Mistakes;
use crate::domain::Notice;

/// The exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, which means durable.
    Done,
    /// Refused, or ended another way than was waited for.
    Refused,
    /// Bad input or usage.
    BadInput,
    /// No engine can be reached.
    Unreachable,
    /// Waited in vain.
    InVain,
    /// What somebody else said: the far end of a socket, or a signal.
    Other(i32),
}

impl Exit {
    /// The number for the shell.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::BadInput => 2,
            Exit::Unreachable => 3,
            Exit::InVain => 4,
            Exit::Other(code) => u8::try_from(code).unwrap_or(1),
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not come to its end.
#[derive(Clone, Debug)]
pub enum Stop {
    /// Nobody reads what it says.
    Gone,
    /// It failed.
    Failed(Exit, Mistakes),
}

impl Stop {
    /// Bad input.
    pub fn bad(mistakes: Mistakes) -> Stop {
        Stop::Failed(Exit::BadInput, mistakes)
    }

    /// Bad input, in one notice.
    pub fn input(notice: Notice) -> Stop {
        Stop::bad(Mistakes::one(notice))
    }

    /// No engine.
    pub fn unreachable(notice: Notice) -> Stop {
        Stop::Failed(Exit::Unreachable, Mistakes::one(notice))
    }
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Stop {
        Stop::Gone
    }
}

/// A refusal of the engine. Its code says whether it was the input, or the engine itself.
impl From<Notice> for Stop {
    fn from(notice: Notice) -> Stop {
        let exit = match notice.code.as_str() {
            "bad-plan" => Exit::BadInput,
            NO_ENGINE | ENGINE_GONE => Exit::Unreachable,
            _ => Exit::Refused,
        };
        Stop::Failed(exit, Mistakes::one(notice))
    }
}

/// The code of a notice: the room's engine does not run.
pub const NO_ENGINE: &str = "no-engine";
/// The code of a notice: the engine ended while it was asked.
pub const ENGINE_GONE: &str = "engine-gone";

/// How a command went.
pub type Went = Result<Exit, Stop>;
