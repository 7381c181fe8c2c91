//! A client of the sample stack.

fn main() {}
