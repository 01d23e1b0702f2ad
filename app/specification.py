"""The contract that the service serves: that of `openapi/items.yaml`, or the secured one (`ACCESS=secured`)."""

from typing import Any

import yaml

import contract
from app.settings import ROOT
from app.specfile import SafeLoader
from contract import Contract, overlay
from contract.spec.document import Document, resolve

SPECIFICATION = ROOT / "openapi" / "items.yaml"
SECURED = ROOT / "openapi" / "secured.overlay.yaml"


def load(*, secured: bool) -> Contract:
    """Return the contract. Raise `ContractError`."""
    plain = contract.load(SPECIFICATION)  # its faults have places in the file
    return contract.load(secure(plain)) if secured else plain


def secure(plain: Document) -> dict[str, Any]:
    """Apply the overlay. Raise `ContractError`.

    Its wildcards match operations. So path items that are references, such as those in other files, are resolved first.
    """
    paths = {path: resolve(plain, item) for path, item in plain["paths"].items()}
    return overlay.apply({**plain, "paths": paths}, yaml.load(SECURED.read_bytes(), SafeLoader))  # noqa: S506 -- it is a safe one


def scopes() -> frozenset[str]:
    """Return the scopes that an operation of the secured contract requires."""
    operations = (operation for item in load(secured=True)["paths"].values() for operation in item.values())
    found = (operation.get("x-required-scopes", ()) for operation in operations if isinstance(operation, dict))
    return frozenset(scope for scopes in found for scope in scopes)


def source(specification: Contract, *, secured: bool) -> bytes:
    """Return the contract as YAML: the file itself, or what the overlay has made of it."""
    if not secured:
        return SPECIFICATION.read_bytes()
    text: str = yaml.dump(dict(specification), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text.encode()


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, without the anchors that it would write for what is in the document twice."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
