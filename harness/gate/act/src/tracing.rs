//! The trace of a run: whose part it is, and what the programs that it starts are handed on.

use stagegate_base::{
    command::Command,
    trace_parent::{TraceParent, VARIABLE},
};
use stagegate_gate_decide::promotion::{Plan, trace_ids};

use super::Run;

/// Returns a plan whose run is a part of the trace of whoever called this program, such as a job of CI.
pub(super) fn of_caller(plan: Plan) -> Plan {
    let trace_parent = std::env::var("TRACEPARENT").ok().and_then(|text| TraceParent::read(&text));
    Plan { trace_parent, ..plan }
}

impl Run {
    /// Hands the span of the step that the run is in on to a program.
    pub(super) fn traced(&self, command: Command) -> Command {
        command.env(VARIABLE, self.span().to_string())
    }

    /// Returns the span of the step that the run is in.
    pub(super) fn span(&self) -> TraceParent {
        trace_ids::current(&self.plan, self.lines())
    }
}
