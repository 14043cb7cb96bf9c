"""Packages that TransformerLens imports and no lesson uses: loaded when something of them is used.

TransformerLens imports ``datasets`` and ``pandas`` (and so pyarrow: 90 MB in every kernel, half a
second) for a few functions, such as ``get_dataset`` and patching's tables. While it is imported,
stand-ins take the place of these packages. What is taken from a stand-in is loaded when it is
called, looked into or subclassed. Afterwards ``import pandas`` gives the package, as ever. Where a
stand-in does not serve, or a package is loaded already, TransformerLens is imported in the usual
way. (Python 3.15 can do this by itself: PEP 810, lazy imports.)
"""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

IMPORTER = "transformer_lens"
LATE = ("datasets", "pandas")


class LateImportsFinder(MetaPathFinder):
    """Import hook: stand-ins for the packages in ``LATE`` while TransformerLens is imported."""

    active = False

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        """Return the spec of TransformerLens, or of a stand-in while that is imported."""
        package, _, submodule = fullname.partition(".")
        if fullname == IMPORTER and (spec := PathFinder.find_spec(fullname, path)) and spec.loader:
            spec.loader = _ImporterLoader(self, spec.loader)
            return spec
        if not self.active or package not in LATE:
            return None
        stands_in = isinstance(sys.modules.get(package), _StandIn)
        exists = stands_in if submodule else PathFinder.find_spec(package)
        return ModuleSpec(fullname, _StandInLoader(self), is_package=True) if exists else None

    def stop(self) -> None:
        """From here on every import gives the package itself."""
        self.active = False
        for name in [name for name, module in sys.modules.items() if isinstance(module, _StandIn)]:
            del sys.modules[name]


class _ImporterLoader(Loader):
    """Runs TransformerLens's own code with stand-ins, and again without them if that fails."""

    def __init__(self, finder: LateImportsFinder, own: Loader):
        self._finder, self._own = finder, own

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._finder.active = True
        try:
            return self._own.exec_module(module)
        except Exception:  # a use that stand-ins do not serve, or a fault that comes again below
            pass
        finally:
            self._finder.stop()
        return self._own.exec_module(module)

    def __getattr__(self, name: str):
        return getattr(self._own, name)


class _StandInLoader(Loader):
    """Makes stand-ins, which run no code."""

    def __init__(self, finder: LateImportsFinder):
        self._finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = _StandIn(spec.name)
        module.finder = self._finder
        return module

    def exec_module(self, module: ModuleType) -> None:
        pass


class _StandIn(ModuleType):
    """A module that is loaded when something of it is used."""

    finder: LateImportsFinder

    def __getattr__(self, name: str):
        if not self.finder.active:
            return self.load(name)
        _refuse_questions(name)
        return _Late(self, name)

    def load(self, name: str):
        """Return an attribute or a submodule of the package itself."""
        self.finder.stop()
        return getattr(__import__(self.__name__, fromlist=[name]), name)


class _Late:
    """A class or a function of a stand-in: in annotations as it is, otherwise loaded."""

    def __init__(self, module: _StandIn, name: str):
        self._module, self._name = module, name

    def _load(self):
        return self._module.load(self._name)

    def __call__(self, *arguments, **named):
        return self._load()(*arguments, **named)

    def __getattr__(self, name: str):
        if self._module.finder.active:
            _refuse_questions(name)
        return getattr(self._load(), name)

    def __instancecheck__(self, instance) -> bool:
        return isinstance(instance, self._load())

    def __mro_entries__(self, bases) -> tuple:
        return (self._load(),)

    def __or__(self, other):  # of annotations, which nothing reads
        return self

    __ror__ = __or__


def _refuse_questions(name: str) -> None:
    """Raise for the names by which import and typing ask what a thing is: no reason to load it."""
    if name.startswith("__"):
        raise AttributeError(name)
