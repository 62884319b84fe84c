"""Known-bad twins: expectations, waivers and size."""

from __future__ import annotations

from tests.checks.twins.twin import MODULES, Twin, nothing
from tests.support.defects import both, chmodded, copied, replaced
from tests.support.programs import static_program

PASSWD = '[files."/etc/passwd"]\nmode = "0644"\n'
WAIVER = '[[waivers]]\ncheck = "{check}"\nreason = "known"\nuntil = {until}\n'

TWINS = [
    # expectations
    Twin("another distribution", "EXP-01::test_distro_is_as_expected", nothing, expect='distro = "alpine"'),
    Twin("another release", "EXP-01::test_release_is_as_expected", nothing, expect='release = "12"'),
    Twin("another machine", "EXP-01::test_architecture_is_as_expected", nothing, expect='arch = "s390x"'),
    Twin(
        "modules of another kernel than expected",
        "EXP-01::test_modules_of_the_expected_kernel_are_there",
        nothing,
        expect='kernel = "6.99"',
    ),
    Twin("a file of another mode", "EXP-02::test_file_is_as_expected", chmodded("etc/passwd", 0o600), expect=PASSWD),
    Twin("an expected module", "EXP-03::test_expected_module_is_there", nothing, expect='modules = ["virtiofs"]'),
    Twin("an expected unit", "EXP-04::test_required_unit_is_there", nothing, expect='units = ["mine.service"]'),
    Twin(
        "an unwanted package",
        "EXP-05::test_unwanted_packages_are_absent",
        nothing,
        expect='[packages]\nkmod = "absent"',
    ),
    Twin(
        "a setuid program",
        "EXP-06::test_only_expected_files_are_setuid",
        both(copied(static_program, "usr/bin/su"), chmodded("usr/bin/su", 0o4755)),
        expect='setuid = "none"',
    ),
    Twin(
        "a waiver of nothing",
        "EXP-07::test_waiver_names_a_check",
        nothing,
        expect=WAIVER.format(check="INT-01", until="2999-01-01"),
    ),
    Twin(
        "a waiver that ended",
        "EXP-07::test_waiver_has_not_ended",
        nothing,
        expect=WAIVER.format(check="INI-01", until="2020-01-01"),
    ),
    # size
    Twin("over the budget", "SIZ-01::test_rootfs_keeps_its_size_budget", nothing, expect='size-budget = "1 KiB"'),
    Twin(
        "an expected module needs another",
        "EXP-03::test_expected_module_finds_what_it_needs",
        replaced(f"{MODULES}/modules.dep", "kernel/made_base.ko:\n", "kernel/made_base.ko: kernel/made_lost.ko\n"),
        expect='modules = ["made_base"]',
        along_with="MOD-01::test_module_index_agrees_with_the_files",
    ),
]
