"""What pyproject.toml cannot say: the notebooks, which lie beside the package, are copied into it."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithNotebooks(build_py):
    """Puts the notebooks into `toolkit/notebooks/` of a wheel; an editable installation finds them in the checkout."""

    def run(self) -> None:
        """Build the package, and copy them."""
        super().run()
        if not self.editable_mode:
            folder = Path(self.build_lib, "toolkit", "notebooks")
            folder.mkdir(parents=True, exist_ok=True)
            for notebook in sorted(Path("notebooks").glob("[0-9]*.ipynb")):
                shutil.copy(notebook, folder)


setup(cmdclass={"build_py": WithNotebooks})
