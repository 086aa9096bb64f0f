//! A table that knows nothing of terminals or Markdown.

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with a cell per column.
    pub rows: Vec<Vec<Cell>>,
    /// What stands below it.
    pub notes: Vec<String>,
}

impl Table {
    /// How many of its first columns say whose row it is: two of text at most, and one where every column is text.
    pub(crate) fn keys(&self) -> usize {
        let leading = self.columns.iter().take_while(|column| column.align == Align::Left).count();
        if leading == self.columns.len() { 1 } else { leading.min(2) }
    }

    /// The same rows with those columns alone, and neither title nor notes.
    pub(crate) fn part(&self, columns: &[usize]) -> Table {
        Table {
            columns: columns.iter().map(|n| self.columns[*n].clone()).collect(),
            rows: self
                .rows
                .iter()
                .map(|row| columns.iter().filter_map(|n| row.get(*n).cloned()).collect())
                .collect(),
            ..Table::default()
        }
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// Where its cells stand.
    pub align: Align,
}

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// How it says it.
    pub emphasis: Emphasis,
}

/// How a cell speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emphasis {
    /// Like any other.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Measured, and not to be believed: shown, but struck out.
    Struck,
}

impl Cell {
    /// A cell without emphasis.
    pub fn plain(text: impl Into<String>) -> Cell {
        Cell::with(Emphasis::Plain, text)
    }
    /// A cell with emphasis.
    pub fn with(emphasis: Emphasis, text: impl Into<String>) -> Cell {
        Cell { text: text.into(), emphasis }
    }
}

impl Column {
    /// Columns of text.
    pub fn left<const N: usize>(names: [&str; N]) -> [Column; N] {
        names.map(|name| Column { name: name.to_owned(), align: Align::Left })
    }
    /// Columns of numbers.
    pub fn right<const N: usize>(names: [&str; N]) -> [Column; N] {
        names.map(|name| Column { name: name.to_owned(), align: Align::Right })
    }
}
