//! Steps of numbers, as `multipleOf` has them.

/// Returns whether a number is a multiple of another one; what decimal notation rounds counts as equal.
pub(super) fn is_multiple(number: f64, step: f64) -> bool {
    (number / step - (number / step).round()).abs() < 1e-9
}

/// Returns the step of numbers that are multiples of both.
pub(super) fn common_step(one: f64, other: f64) -> f64 {
    let is_whole = one.fract() == 0.0 && other.fract() == 0.0 && one > 0.0 && other > 0.0;
    match (is_multiple(one, other), is_multiple(other, one)) {
        (true, _) => one,
        (_, true) => other,
        _ if is_whole => {
            let (mut rest, mut divisor) = (one, other);
            while divisor > 0.0 {
                (rest, divisor) = (divisor, rest % divisor);
            }
            one / rest * other
        }
        _ => other,
    }
}
