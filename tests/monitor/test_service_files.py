"""The files of `packaging/` fit the program."""

import re
from dataclasses import replace
from pathlib import Path

from mitherm.ops.gateway.config import MonitorConfig, MqttConfig

PACKAGING = Path(__file__).parents[2] / "packaging"


def test_the_commented_configuration_is_true(tmp_path: Path) -> None:
    """As shipped it is valid; what is commented out exists, and is the default where it says so."""
    text = (PACKAGING / "systemd" / "monitor.toml").read_text()
    shipped = MonitorConfig.load(PACKAGING / "systemd" / "monitor.toml")
    assert shipped == replace(MonitorConfig(), mqtt=shipped.mqtt)
    uncommented = tmp_path / "monitor.toml"
    uncommented.write_text(re.sub(r"^# (?=\w+ = |\[)", "", text, flags=re.MULTILINE))
    everything = MonitorConfig.load(uncommented)
    assert everything.units
    assert everything.influx
    assert everything.mqtt is not None
    assert shipped.mqtt is not None
    assert everything.silence_s == MonitorConfig().silence_s
    defaults = MqttConfig(shipped.mqtt.url)
    assert replace(everything.mqtt, password_file="") == defaults


def test_the_unit_file_and_the_program_agree() -> None:
    """It is notified, fed, and stopped the way the program does it."""
    lines = (PACKAGING / "systemd" / "mitherm.service").read_text().splitlines()
    assert "Type=notify" in lines
    assert "WatchdogSec=60" in lines
    assert any(line.startswith("ExecStart=") and "monitor --config /etc/mitherm/monitor.toml" in line for line in lines)
    container = (PACKAGING / "container" / "Containerfile").read_text()
    assert 'CMD ["monitor", "--config", "/etc/mitherm/monitor.toml"]' in container
