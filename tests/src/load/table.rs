//! Results as a table for people.

use serde_json::Value;

/// A column: its title, where its value stands (JSON pointer), and how many decimals it shows.
pub(super) type Column = (&'static str, &'static str, usize);

/// One line for each row under a line of titles.
pub(super) fn render(columns: &[Column], rows: &[Value]) -> String {
    let mut lines = vec![columns.iter().map(|column| column.0.to_owned()).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| {
        columns.iter().map(|(_, pointer, decimals)| cell(row.pointer(pointer), *decimals)).collect()
    }));
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| lines.iter().filter_map(|line| line.get(at)).map(String::len).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            // Names stand on the left, figures on the right.
            if at == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cell(value: Option<&Value>, decimals: usize) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => {
            number.as_f64().map_or_else(String::new, |number| format!("{number:.decimals$}"))
        }
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_line_up_and_what_is_missing_is_a_dash() {
        let columns = [("name", "/name", 0), ("N", "/n", 0), ("p50", "/v2v/p50", 1)];
        let rows = [
            json!({"name": "browser", "n": 100, "v2v": {"p50": 750.26}}),
            json!({"name": "x", "n": 1, "v2v": {}}),
        ];
        let table = "name       N    p50\nbrowser  100  750.3\nx          1      -\n";
        assert_eq!(render(&columns, &rows), table);
    }
}
