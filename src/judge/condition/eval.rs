//! Tree to value.
//!
//! A condition of a few hundred signs can ask for more steps than any machine has time for
//! (`all(result, all(result, …))`), so steps are counted and there is an end to them.

use std::cell::Cell;

use super::Fault;
use super::parse::{Node, Two};

/// What a condition computes with.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Nil,
    /// Yes or no.
    Bool(bool),
    /// A number; NaN compares with nothing.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// What kind of value it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Nil => "nothing",
            Value::Bool(_) => "a yes or no",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Value(why.into()))
}

/// How many steps a condition may take; copying a value takes as many as it has parts.
const STEPS: usize = 1_000_000;

pub fn eval(node: &Node, result: &Value) -> Result<Value, Fault> {
    let run = Run {
        result,
        left: Cell::new(STEPS),
    };
    run.eval(node, None)
}

/// One evaluation.
struct Run<'a> {
    result: &'a Value,
    left: Cell<usize>,
}

impl Run<'_> {
    fn pay(&self, steps: usize) -> Result<(), Fault> {
        match self.left.get().checked_sub(steps) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => wrong(format!("it takes more than {STEPS} steps")),
        }
    }

    fn copied(&self, value: &Value) -> Result<Value, Fault> {
        self.pay(parts(value))?;
        Ok(value.clone())
    }

    fn eval(&self, node: &Node, element: Option<&Value>) -> Result<Value, Fault> {
        self.pay(1)?;
        let of = |node: &Node| self.eval(node, element);
        Ok(match node {
            Node::Number(number) => Value::Number(*number),
            Node::Text(text) => Value::Text(text.clone()),
            Node::Bool(value) => Value::Bool(*value),
            Node::Nil => Value::Nil,
            Node::Name(name) if name == "result" => self.copied(self.result)?,
            Node::Name(name) => return wrong(format!("unknown name `{name}`; there is `result`")),
            Node::Element => match element {
                Some(element) => self.copied(element)?,
                None => return wrong("`#` means nothing outside of all, any, none, one and count"),
            },
            Node::List(items) => Value::List(items.iter().map(of).collect::<Result<_, _>>()?),
            Node::Index(of_what, index) => indexed(&of(of_what)?, &of(index)?)?,
            Node::Call(name, arguments) => self.call(name, arguments, element)?,
            Node::Not(inner) => Value::Bool(!truth(&of(inner)?)?),
            Node::Minus(inner) => Value::Number(-number(&of(inner)?)?),
            Node::Two(Two::Or, left, right) => {
                Value::Bool(truth(&of(left)?)? || truth(&of(right)?)?)
            }
            Node::Two(Two::And, left, right) => {
                Value::Bool(truth(&of(left)?)? && truth(&of(right)?)?)
            }
            Node::Two(two, left, right) => joined(*two, &of(left)?, &of(right)?)?,
        })
    }

    fn call(
        &self,
        name: &str,
        arguments: &[Node],
        element: Option<&Value>,
    ) -> Result<Value, Fault> {
        if let ("all" | "any" | "none" | "one" | "count", [list, test]) = (name, arguments) {
            let Value::List(items) = self.eval(list, element)? else {
                return wrong(format!("{name} needs a list"));
            };
            let holds = |item: &Value| self.eval(test, Some(item)).and_then(|value| truth(&value));
            let held = items
                .iter()
                .map(holds)
                .collect::<Result<Vec<bool>, Fault>>()?;
            let count = held.iter().filter(|held| **held).count();
            return Ok(match name {
                "all" => Value::Bool(count == held.len()),
                "any" => Value::Bool(count > 0),
                "none" => Value::Bool(count == 0),
                "one" => Value::Bool(count == 1),
                _ => Value::Number(count as f64),
            });
        }
        let values = arguments.iter().map(|node| self.eval(node, element));
        let values = values.collect::<Result<Vec<Value>, Fault>>()?;
        called(name, &values)
    }
}

/// How many parts a value has.
fn parts(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(parts).sum::<usize>(),
        Value::Object(fields) => {
            1 + fields
                .iter()
                .map(|(_, value)| 1 + parts(value))
                .sum::<usize>()
        }
        Value::Text(text) => 1 + text.len() / 64,
        Value::Nil | Value::Bool(_) | Value::Number(_) => 1,
    }
}

fn truth(value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Bool(value) => Ok(*value),
        other => wrong(format!("{} is no yes or no", other.kind())),
    }
}

fn number(value: &Value) -> Result<f64, Fault> {
    match value {
        Value::Number(number) => Ok(*number),
        other => wrong(format!("{} is no number", other.kind())),
    }
}

fn indexed(value: &Value, index: &Value) -> Result<Value, Fault> {
    match (value, index) {
        (Value::List(items), Value::Number(index)) => {
            let from_end = if *index < 0.0 {
                items.len() as f64
            } else {
                0.0
            };
            let at = index + from_end;
            let whole = at >= 0.0 && at.fract() == 0.0;
            match items.get(at as usize).filter(|_| whole) {
                Some(item) => Ok(item.clone()),
                None => wrong(format!("there is no {index} in a list of {}", items.len())),
            }
        }
        (Value::Object(fields), Value::Text(name)) => {
            let found = fields.iter().find(|(other, _)| other == name);
            Ok(found.map_or(Value::Nil, |(_, value)| value.clone()))
        }
        (value, index) => wrong(format!("{} has no {} in it", value.kind(), index.kind())),
    }
}

fn joined(two: Two, left: &Value, right: &Value) -> Result<Value, Fault> {
    let ordered = |holds: fn(f64, f64) -> bool| match (left, right) {
        (Value::Number(a), Value::Number(b)) => Ok(Value::Bool(holds(*a, *b))),
        (Value::Text(a), Value::Text(b)) => {
            let order = a.cmp(b) as i8;
            Ok(Value::Bool(holds(f64::from(order), 0.0)))
        }
        _ => wrong(format!(
            "{} and {} have no order",
            left.kind(),
            right.kind()
        )),
    };
    let computed =
        |compute: fn(f64, f64) -> f64| Ok(Value::Number(compute(number(left)?, number(right)?)));
    match two {
        Two::Equal => Ok(Value::Bool(left == right)),
        Two::Unequal => Ok(Value::Bool(left != right)),
        Two::Less => ordered(|a, b| a < b),
        Two::LessOrEqual => ordered(|a, b| a <= b),
        Two::More => ordered(|a, b| a > b),
        Two::MoreOrEqual => ordered(|a, b| a >= b),
        Two::In => match right {
            Value::List(items) => Ok(Value::Bool(items.contains(left))),
            other => wrong(format!("nothing is in {}", other.kind())),
        },
        Two::Plus => match (left, right) {
            (Value::Text(a), Value::Text(b)) => Ok(Value::Text(format!("{a}{b}"))),
            _ => computed(|a, b| a + b),
        },
        Two::Minus => computed(|a, b| a - b),
        Two::Times => computed(|a, b| a * b),
        Two::By => computed(|a, b| a / b),
        Two::Rest => computed(|a, b| a % b),
        Two::Or | Two::And => Ok(Value::Bool(false)),
    }
}

fn called(name: &str, values: &[Value]) -> Result<Value, Fault> {
    Ok(match (name, values) {
        ("len", [Value::List(items)]) => Value::Number(items.len() as f64),
        ("len", [Value::Text(text)]) => Value::Number(text.chars().count() as f64),
        ("len", [Value::Object(fields)]) => Value::Number(fields.len() as f64),
        ("isNaN", [value]) => Value::Bool(number(value)?.is_nan()),
        ("isInf", [value]) => Value::Bool(number(value)?.is_infinite()),
        ("isNil", [value]) => Value::Bool(*value == Value::Nil),
        ("default", [Value::Nil, other]) | ("default", [other, _]) => other.clone(),
        ("abs", [value]) => Value::Number(number(value)?.abs()),
        ("min", [a, b]) => Value::Number(number(a)?.min(number(b)?)),
        ("max", [a, b]) => Value::Number(number(a)?.max(number(b)?)),
        ("asFloat", [value]) => Value::Number(read(value)?),
        ("asInt", [value]) => Value::Number(read(value)?.trunc()),
        _ => return wrong(format!("`{name}` with {} things is unknown", values.len())),
    })
}

/// A number, also out of a text.
fn read(value: &Value) -> Result<f64, Fault> {
    match value {
        Value::Text(text) => match text.trim().parse() {
            Ok(number) => Ok(number),
            Err(_) => wrong("the text is no number"),
        },
        other => number(other),
    }
}
