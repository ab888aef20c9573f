//! Cases of [`Sql`].

use serde::Deserialize;
use serde_json::json;

use super::{CaseResult, Failure, Outcome, cases, ensure, equal};
use crate::port::{Rows, Sql, SqlError, Statement, Value};

/// Runs all cases.
pub(super) async fn suite<S: Sql>(sql: &S) -> Vec<CaseResult> {
    cases![sql;
        an_empty_batch_answers_nothing,
        every_statement_has_its_rows_in_order,
        later_statements_see_earlier_ones,
        a_statement_without_a_match_stops_nothing,
        a_failing_statement_undoes_the_whole_batch,
        a_broken_statement_is_no_conflict_and_undoes_the_batch,
        a_taken_primary_key_is_a_conflict,
        a_taken_unique_value_is_a_conflict,
        another_constraint_is_no_conflict,
        returning_gives_the_rows_written,
        on_conflict_do_nothing_returns_no_row,
        on_conflict_do_update_obeys_its_guard,
        a_single_use_row_is_used_once,
        null_and_text_stay_apart,
        integers_survive_to_two_to_the_53,
        integer_parameters_add_and_compare,
        text_survives_as_it_is,
        long_text_survives,
        json_text_stays_text,
        one_parameter_can_stand_in_many_places,
        limit_and_order_take_parameters,
        first_is_the_first_row_or_none,
        rows_of_another_shape_are_malformed,
    ]
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Item {
    id: String,
    label: Option<String>,
    amount: Option<i64>,
}

fn item(id: &str, label: Option<&str>, amount: Option<i64>) -> Item {
    Item { id: id.to_owned(), label: label.map(str::to_owned), amount }
}

fn statement(sql: &'static str, params: Vec<Value>) -> Statement {
    Statement { sql, params }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

const ALL: &str = "SELECT id, label, amount FROM conformance_items ORDER BY id";
const INSERT: &str = "INSERT INTO conformance_items (id, label, amount) VALUES (?1, ?2, ?3)";

fn insert(id: &str, label: &str, amount: i64) -> Statement {
    statement(INSERT, vec![text(id), text(label), Value::Int(amount)])
}

/// An empty table.
async fn fresh<S: Sql>(sql: &S) -> Outcome {
    sql.batch(vec![
        statement("DROP TABLE IF EXISTS conformance_items", vec![]),
        statement(
            "CREATE TABLE conformance_items (id TEXT PRIMARY KEY, label TEXT UNIQUE, amount BIGINT CHECK (amount <> 13))",
            vec![],
        ),
    ])
    .await?;
    Ok(())
}

async fn one<S: Sql>(sql: &S, statement: Statement) -> Result<Rows, Failure> {
    let mut answers = sql.batch(vec![statement]).await?;
    match (answers.pop(), answers.len()) {
        (Some(rows), 0) => Ok(rows),
        (_, more) => Err(Failure(format!("one statement, but {more} answers and one"))),
    }
}

async fn all<S: Sql>(sql: &S) -> Result<Vec<Item>, Failure> {
    Ok(one(sql, statement(ALL, vec![])).await?.read()?)
}

async fn an_empty_batch_answers_nothing<S: Sql>(sql: &S) -> Outcome {
    let answers = sql.batch(vec![]).await?;
    equal("answers", &answers.len(), &0)
}

async fn every_statement_has_its_rows_in_order<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let answers = sql
        .batch(vec![
            insert("a", "first", 1),
            statement(ALL, vec![]),
            insert("b", "second", 2),
            statement("SELECT COUNT(*) AS amount FROM conformance_items", vec![]),
        ])
        .await?;
    let rows: Result<Vec<serde_json::Value>, _> =
        answers.iter().map(|rows| serde_json::from_slice(&rows.0)).collect();
    let rows = rows.map_err(|error| Failure(error.to_string()))?;
    let first = json!({"id": "a", "label": "first", "amount": 1});
    equal("rows", &rows, &vec![json!([]), json!([first]), json!([]), json!([{"amount": 2}])])
}

async fn later_statements_see_earlier_ones<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let update = "UPDATE conformance_items SET amount = amount + ?2 WHERE id = ?1";
    sql.batch(vec![
        insert("a", "x", 1),
        statement(update, vec![text("a"), Value::Int(10)]),
        statement(
            "INSERT INTO conformance_items (id, amount) SELECT 'b', amount FROM conformance_items WHERE id = ?1",
            vec![text("a")],
        ),
    ])
    .await?;
    equal(
        "items",
        &all(sql).await?,
        &vec![item("a", Some("x"), Some(11)), item("b", None, Some(11))],
    )
}

async fn a_statement_without_a_match_stops_nothing<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let answers = sql
        .batch(vec![
            statement(
                "UPDATE conformance_items SET amount = 1 WHERE id = ?1 RETURNING id",
                vec![text("nobody")],
            ),
            insert("a", "x", 1),
        ])
        .await?;
    let first = answers.first().map(|rows| rows.0.clone());
    equal("the guarded statement's rows", &first.as_deref(), &Some(b"[]".as_slice()))?;
    equal("items", &all(sql).await?.len(), &1)
}

async fn a_failing_statement_undoes_the_whole_batch<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    one(sql, insert("a", "x", 1)).await?;
    let answer = sql
        .batch(vec![
            statement("UPDATE conformance_items SET amount = 99", vec![]),
            insert("b", "y", 2),
            insert("c", "x", 3),
            insert("d", "z", 4),
        ])
        .await;
    ensure(matches!(answer, Err(SqlError::Conflict)), || format!("{answer:?}"))?;
    equal("items", &all(sql).await?, &vec![item("a", Some("x"), Some(1))])
}

async fn a_broken_statement_is_no_conflict_and_undoes_the_batch<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let broken = statement("SELECT id FROM conformance_nowhere", vec![]);
    let answer = sql.batch(vec![insert("a", "x", 1), broken]).await;
    ensure(matches!(answer, Err(SqlError::Malformed(_))), || format!("{answer:?}"))?;
    equal("items", &all(sql).await?, &vec![])
}

async fn a_taken_primary_key_is_a_conflict<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    one(sql, insert("a", "x", 1)).await?;
    let answer = sql.batch(vec![insert("a", "y", 2)]).await;
    ensure(matches!(answer, Err(SqlError::Conflict)), || format!("{answer:?}"))
}

async fn a_taken_unique_value_is_a_conflict<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    one(sql, insert("a", "x", 1)).await?;
    let answer = sql.batch(vec![insert("b", "x", 2)]).await;
    ensure(matches!(answer, Err(SqlError::Conflict)), || format!("{answer:?}"))?;
    equal("items", &all(sql).await?.len(), &1)
}

async fn another_constraint_is_no_conflict<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let answer = sql.batch(vec![insert("a", "x", 1), insert("b", "y", 13)]).await;
    ensure(matches!(answer, Err(SqlError::Malformed(_))), || format!("{answer:?}"))?;
    equal("items", &all(sql).await?, &vec![])
}

async fn returning_gives_the_rows_written<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    sql.batch(vec![insert("a", "x", 1), insert("b", "y", 2), insert("c", "z", 3)]).await?;
    let update = "UPDATE conformance_items SET amount = amount * 10 WHERE amount >= ?1 RETURNING id, label, amount";
    let mut changed: Vec<Item> = one(sql, statement(update, vec![Value::Int(2)])).await?.read()?;
    changed.sort_by(|left, right| left.id.cmp(&right.id));
    let wanted = vec![item("b", Some("y"), Some(20)), item("c", Some("z"), Some(30))];
    equal("updated", &changed, &wanted)?;
    let delete = "DELETE FROM conformance_items WHERE id = ?1 RETURNING id, label, amount";
    let gone: Vec<Item> = one(sql, statement(delete, vec![text("a")])).await?.read()?;
    equal("deleted", &gone, &vec![item("a", Some("x"), Some(1))])
}

async fn on_conflict_do_nothing_returns_no_row<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let upsert = "INSERT INTO conformance_items (id, label, amount) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING RETURNING id";
    let upsert = |label: &str| statement(upsert, vec![text("a"), text(label), Value::Int(1)]);
    let answers = sql.batch(vec![upsert("x"), upsert("y")]).await?;
    let counts: Vec<bool> = answers.iter().map(|rows| rows.0.as_ref() == b"[]").collect();
    equal("without rows", &counts, &vec![false, true])?;
    equal("items", &all(sql).await?, &vec![item("a", Some("x"), Some(1))])
}

async fn on_conflict_do_update_obeys_its_guard<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let upsert = "INSERT INTO conformance_items (id, amount) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET \
                  amount = excluded.amount WHERE conformance_items.amount < ?3 RETURNING amount";
    let upsert =
        |amount, below| statement(upsert, vec![text("a"), Value::Int(amount), Value::Int(below)]);
    let answers = sql.batch(vec![upsert(1, 0), upsert(5, 2), upsert(9, 2)]).await?;
    let texts: Vec<_> = answers.iter().map(|rows| String::from_utf8_lossy(&rows.0)).collect();
    let wanted = vec![r#"[{"amount":1}]"#.into(), r#"[{"amount":5}]"#.into(), "[]".into()];
    equal("rows", &texts, &wanted)
}

async fn a_single_use_row_is_used_once<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    one(sql, statement("INSERT INTO conformance_items (id) VALUES (?1)", vec![text("a")])).await?;
    let take = "UPDATE conformance_items SET amount = ?2 WHERE id = ?1 AND amount IS NULL RETURNING amount";
    let mut winners = 0;
    for at in 1..=5 {
        let rows = one(sql, statement(take, vec![text("a"), Value::Int(at)])).await?;
        winners += usize::from(rows.0.as_ref() != b"[]");
    }
    equal("winners", &winners, &1)?;
    equal("items", &all(sql).await?, &vec![item("a", None, Some(1))])
}

async fn null_and_text_stay_apart<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let put = |id: &str, label: Value| statement(INSERT, vec![text(id), label, Value::Null]);
    sql.batch(vec![
        put("a", Value::Null),
        put("b", text("")),
        put("c", text("null")),
        put("d", Value::Null),
    ])
    .await?;
    equal(
        "items",
        &all(sql).await?,
        &vec![
            item("a", None, None),
            item("b", Some(""), None),
            item("c", Some("null"), None),
            item("d", None, None),
        ],
    )
}

async fn integers_survive_to_two_to_the_53<S: Sql>(sql: &S) -> Outcome {
    const MAX: i64 = 1 << 53;
    let numbers = [0, 1, -1, 1_767_225_600_123, i64::from(i32::MAX) + 1, MAX - 1, MAX, -MAX];
    for number in numbers {
        fresh(sql).await?;
        one(
            sql,
            statement(
                "INSERT INTO conformance_items (id, amount) VALUES ('a', ?1)",
                vec![Value::Int(number)],
            ),
        )
        .await?;
        equal("items", &all(sql).await?, &vec![item("a", None, Some(number))])?;
    }
    Ok(())
}

async fn integer_parameters_add_and_compare<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    one(sql, insert("a", "x", 7)).await?;
    let ask =
        "SELECT id, label, amount + ?1 AS amount FROM conformance_items WHERE amount = ?2 - ?1";
    let rows: Vec<Item> =
        one(sql, statement(ask, vec![Value::Int(2), Value::Int(9)])).await?.read()?;
    equal("a sum", &rows, &vec![item("a", Some("x"), Some(9))])?;
    let keep = "UPDATE conformance_items SET amount = amount + ?1";
    one(sql, statement(keep, vec![Value::Int(2)])).await?;
    let half = "SELECT id, label, amount / 2 AS amount FROM conformance_items";
    let rows: Vec<Item> = one(sql, statement(half, vec![])).await?.read()?;
    equal("half of a stored sum", &rows, &vec![item("a", Some("x"), Some(4))])
}

async fn text_survives_as_it_is<S: Sql>(sql: &S) -> Outcome {
    let texts = [
        "Grüße, 世界 👋🏽",
        "line\nbreak\r\nand\ttab",
        "quote ' double \" back\\slash; -- no comment",
        "?1 $1 %s {{name}}",
        "line separator \u{2028}, control \u{1}, last \u{10ffff}",
        " spaces around ",
        "12",
        "1e3",
    ];
    for text_in in texts {
        fresh(sql).await?;
        one(sql, insert("a", text_in, 1)).await?;
        equal("items", &all(sql).await?, &vec![item("a", Some(text_in), Some(1))])?;
    }
    Ok(())
}

async fn long_text_survives<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let long = "A sentence with ümläuts. ".repeat(8_000);
    one(sql, insert("a", &long, 1)).await?;
    let seen = all(sql).await?;
    ensure(seen == vec![item("a", Some(&long), Some(1))], || {
        format!("{} items, altered", seen.len())
    })
}

async fn json_text_stays_text<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let json = r#"{"a":[1,2.50,null],"b":"\n"}"#;
    one(sql, insert("a", json, 1)).await?;
    equal("items", &all(sql).await?, &vec![item("a", Some(json), Some(1))])
}

async fn one_parameter_can_stand_in_many_places<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    let put = "INSERT INTO conformance_items (id, label, amount) VALUES (?2, ?2, ?1)";
    one(sql, statement(put, vec![Value::Int(4), text("twice")])).await?;
    equal("items", &all(sql).await?, &vec![item("twice", Some("twice"), Some(4))])
}

async fn limit_and_order_take_parameters<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    sql.batch(vec![insert("a", "x", 1), insert("b", "y", 2), insert("c", "z", 3)]).await?;
    let page =
        "SELECT id, label, amount FROM conformance_items WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    let rows: Vec<Item> =
        one(sql, statement(page, vec![text("c"), Value::Int(1)])).await?.read()?;
    equal("page", &rows, &vec![item("b", Some("y"), Some(2))])
}

async fn first_is_the_first_row_or_none<S: Sql>(sql: &S) -> Outcome {
    fresh(sql).await?;
    sql.batch(vec![insert("a", "x", 1), insert("b", "y", 2)]).await?;
    let first: Option<Item> = one(sql, statement(ALL, vec![])).await?.first()?;
    equal("first", &first, &Some(item("a", Some("x"), Some(1))))?;
    let none = "SELECT id, label, amount FROM conformance_items WHERE id = ?1";
    let none: Option<Item> = one(sql, statement(none, vec![text("z")])).await?.first()?;
    equal("none", &none, &None)
}

async fn rows_of_another_shape_are_malformed<S: Sql>(sql: &S) -> Outcome {
    let rows = one(sql, statement("SELECT 'x' AS id", vec![])).await?;
    let read = rows.read::<Item>();
    ensure(
        matches!(&read, Ok(items) if items.iter().all(|item| item.amount.is_none() && item.id == "x")),
        || format!("missing members are none: {read:?}"),
    )?;
    let rows = one(sql, statement("SELECT 5 AS id, NULL AS label, NULL AS amount", vec![])).await?;
    let read = rows.read::<Item>();
    ensure(matches!(read, Err(SqlError::Malformed(_))), || format!("{read:?}"))
}
