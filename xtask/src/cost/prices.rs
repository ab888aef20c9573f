//! The table of list prices, `fly/prices.tsv`.

use crate::error::Fault;

/// The table of this checkout.
const TABLE: &str = include_str!("../../../fly/prices.tsv");

/// One list price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price<'a> {
    /// Its name.
    pub name: &'a str,
    /// In US dollars.
    pub usd: f64,
    /// For what.
    pub unit: &'a str,
    /// The month it was read, `2026-11`.
    pub month: &'a str,
    /// Where it was read.
    pub source: &'a str,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Prices<'a>(Vec<Price<'a>>);

fn read(line: &str) -> Option<Price<'_>> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let price = Price {
        name: next()?,
        usd: next()?.parse().ok()?,
        unit: next()?,
        month: next()?,
        source: next()?,
    };
    next().is_none().then_some(price)
}

impl Prices<'static> {
    /// Those of this checkout.
    pub fn list() -> Result<Self, Fault> {
        Prices::parse(TABLE)
    }
}

impl<'a> Prices<'a> {
    /// Reads a table.
    pub fn parse(table: &'a str) -> Result<Self, Fault> {
        let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let read = |line| read(line).ok_or_else(|| Fault(format!("fly/prices.tsv: `{line}`")));
        lines.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The price with this name.
    pub fn get(&self, name: &str) -> Result<f64, Fault> {
        let found = self.0.iter().find(|price| price.name == name);
        let found = found.ok_or_else(|| Fault(format!("fly/prices.tsv has no {name}")))?;
        Ok(found.usd)
    }

    /// The price of `part` for a model: that of the longest name which the model's begins with.
    pub fn model(&self, part: &str, model: &str) -> Result<f64, Fault> {
        let named = |price: &Price<'a>| Some((price.name.strip_prefix(part)?, price.usd));
        self.0
            .iter()
            .filter_map(named)
            .filter(|(name, _)| model.starts_with(name))
            .max_by_key(|(name, _)| name.len())
            .map(|(_, usd)| usd)
            .ok_or_else(|| Fault(format!("no price is known for {part}{model}")))
    }

    /// Every one, in the table's order.
    pub fn all(&self) -> &[Price<'a>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_price_has_a_date_and_a_source() {
        let prices = Prices::list().unwrap();
        assert!(prices.all().len() > 30);
        for price in prices.all() {
            let (year, month) = price.month.split_once('-').unwrap();
            assert!(year.parse::<u16>().unwrap() >= 2026, "{price:?}");
            assert!((1..=12).contains(&month.parse::<u8>().unwrap()), "{price:?}");
            assert!(price.source.starts_with("https://"), "{price:?}");
            assert!(price.usd >= 0.0, "{price:?}");
            let same = prices.all().iter().filter(|other| other.name == price.name);
            assert_eq!(same.count(), 1, "{price:?}");
        }
    }

    #[test]
    fn a_line_with_a_field_too_few_is_refused() {
        assert!(Prices::parse("a\t1.0\tminute\t2026-11\n").is_err());
        assert!(Prices::parse("a\tx\tminute\t2026-11\thttps://a\n").is_err());
    }
}
