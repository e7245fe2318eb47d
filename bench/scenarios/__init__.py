"""The scenarios, each with the plan that it carries out. A new one is a module here and an entry in ``SCENARIOS``."""

from bench.scenarios import documents, fan_out, idle, joins, opening, presence, reading, replicas, slow_reader

SCENARIOS = {
    scenario.name: scenario
    for module in (fan_out, documents, idle, joins, slow_reader, replicas, presence, opening, reading)
    for scenario in module.SCENARIOS
}
"""What can be named on the command line, in the order in which everything runs."""
