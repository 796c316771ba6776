//! What is against what should be.

use std::fmt::Debug;

/// Why a case is not as it should be.
pub enum Fault {
    /// The judge says something else.
    Differs(String),
    /// The case makes no sense.
    Malformed(String),
}

/// How a case went.
pub type Checked = Result<(), Fault>;

/// A case that makes no sense.
pub fn malformed<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Malformed(why.into()))
}

/// Whether two numbers are within an absolute tolerance; infinities and NaN are only near themselves.
pub fn near(what: &str, is: f64, should: f64, tolerance: f64) -> Checked {
    let same = is == should || (is.is_nan() && should.is_nan());
    if same || (is - should).abs() <= tolerance {
        return Ok(());
    }
    Err(Fault::Differs(format!(
        "{what} is {is}, should be {should}"
    )))
}

/// The same with a tolerance relative to what should be.
pub fn relative(what: &str, is: f64, should: f64, tolerance: f64) -> Checked {
    near(what, is, should, tolerance * should.abs())
}

/// Whether two lists are.
pub fn all_near(what: &str, is: &[f64], should: &[f64], tolerance: f64) -> Checked {
    same(&format!("the length of {what}"), &is.len(), &should.len())?;
    for (index, (is, should)) in is.iter().zip(should).enumerate() {
        near(&format!("{what}[{index}]"), *is, *should, tolerance)?;
    }
    Ok(())
}

/// The same with a relative tolerance.
pub fn all_relative(what: &str, is: &[f64], should: &[f64], tolerance: f64) -> Checked {
    same(&format!("the length of {what}"), &is.len(), &should.len())?;
    for (index, (is, should)) in is.iter().zip(should).enumerate() {
        relative(&format!("{what}[{index}]"), *is, *should, tolerance)?;
    }
    Ok(())
}

/// Whether two things are the same.
pub fn same<T: PartialEq + Debug>(what: &str, is: &T, should: &T) -> Checked {
    if is == should {
        return Ok(());
    }
    Err(Fault::Differs(format!(
        "{what} is {is:?}, should be {should:?}"
    )))
}
