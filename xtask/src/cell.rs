//! The two cells of a local system.

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The global one.
    Us,
    /// The EU's.
    Eu,
}

impl Cell {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Us, Self::Eu];

    /// As in settings and ids.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
        }
    }

    /// The ending of an environment variable's name that is this cell's.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Us => "",
            Self::Eu => "_EU",
        }
    }

    /// Where its voice server says that it runs.
    pub const fn region(self) -> &'static str {
        match self {
            Self::Us => "iad",
            Self::Eu => "fra",
        }
    }

    /// What its voice server is called in the log.
    pub const fn voice(self) -> &'static str {
        match self {
            Self::Us => "voice-us",
            Self::Eu => "voice-eu",
        }
    }

    /// What its stand-ins are called in the log.
    pub const fn stand_ins(self) -> &'static str {
        match self {
            Self::Us => "sim-us",
            Self::Eu => "sim-eu",
        }
    }
}

/// One of something for each cell.
#[derive(Clone, Copy, Debug, Default)]
pub struct PerCell<T> {
    /// Cell us's.
    pub us: T,
    /// Cell eu's.
    pub eu: T,
}

impl<T> PerCell<T> {
    /// Makes one for each.
    pub fn try_new<E>(mut make: impl FnMut(Cell) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self { us: make(Cell::Us)?, eu: make(Cell::Eu)? })
    }

    /// A cell's.
    pub const fn of(&self, cell: Cell) -> &T {
        match cell {
            Cell::Us => &self.us,
            Cell::Eu => &self.eu,
        }
    }

    /// A cell's, to change.
    pub const fn of_mut(&mut self, cell: Cell) -> &mut T {
        match cell {
            Cell::Us => &mut self.us,
            Cell::Eu => &mut self.eu,
        }
    }

    /// Both, to change.
    pub const fn each_mut(&mut self) -> [&mut T; 2] {
        [&mut self.us, &mut self.eu]
    }

    /// Both.
    pub const fn each(&self) -> [&T; 2] {
        [&self.us, &self.eu]
    }
}
