"""Safety rules: one small object per hazard, all judged before the first byte is written."""

from mitherm.ops.guards.rule import Case, Judgement, Rule, Ruling, Verdict, enforce, judge
from mitherm.ops.guards.table import RULES

__all__ = ["RULES", "Case", "Judgement", "Rule", "Ruling", "Verdict", "enforce", "judge"]
