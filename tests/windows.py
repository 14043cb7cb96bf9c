"""Windows, imitated on Linux: text in one of its encodings, no alarm signals, no process groups.

    python -m tests.windows cp1252 [PYTEST OPTIONS]    # all tests as on a Windows of Western Europe or America
    python -m tests.windows cp932 [PYTEST OPTIONS]     # and of Japan

Needs ``localedef`` and the sources of locales (Debian's package ``locales``).
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODECS = {"cp1252": "en_US", "cp932": "ja_JP"}


def windows(codec: str, folder: Path) -> dict[str, str]:
    """Environment of a Python whose text files are in ``codec`` by default; its locale is made in ``folder``."""
    name = f"{CODECS[codec]}.{codec.upper()}"
    charmap = folder / codec.upper()
    charmap.write_text(charmap_of(codec), encoding="ascii")
    command = [
        "localedef",
        "--force",
        "--no-warnings=ascii",
        "-f",
        charmap,
        "-i",
        CODECS[codec],
        folder / name,
    ]
    subprocess.run(command, capture_output=True)  # complains of characters that the encoding lacks
    variables = {
        "LOCPATH": str(folder),
        "LC_ALL": name,
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONWARNDEFAULTENCODING": "1",
        "CIRCUITS_IMITATE": "windows",
    }
    check = [sys.executable, "-c", "import locale; print(locale.getencoding().lower())"]
    done = subprocess.run(check, env={**os.environ, **variables}, capture_output=True, encoding="ascii")
    if done.stdout.strip() != codec:
        raise RuntimeError(
            f"expected text files in {codec}, got {done.stdout.strip()}: localedef could not make the locale. "
            "On Debian and Ubuntu: sudo apt install locales."
        )
    return variables


def charmap_of(codec: str) -> str:
    """A codec of Python's as a charmap for ``localedef``."""
    lines, taken = (
        [
            f"<code_set_name> {codec.upper()}",
            "<comment_char> %",
            "<escape_char> /",
            "<mb_cur_min> 1",
            "<mb_cur_max> 2",
            "CHARMAP",
        ],
        set(),
    )
    for code in range(0xFFFF):
        try:
            encoded = chr(code).encode(codec)
        except UnicodeEncodeError:
            continue
        if encoded not in taken and encoded.decode(codec) == chr(code):
            taken.add(encoded)
            lines.append(f"<U{code:04X}> " + "".join(f"/x{byte:02x}" for byte in encoded))
    return "\n".join([*lines, "END CHARMAP", ""])


def main() -> None:
    codec, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", *options]
        raise SystemExit(
            subprocess.run(command, cwd=ROOT, env={**os.environ, **windows(codec, Path(folder))}).returncode
        )


if __name__ == "__main__":
    main()
