"""What every table of the settings has in common, and the types of its values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo


class Section(BaseModel):
    """One table: frozen; unknown keys are refused, and nothing is converted: "5" is no number."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def placed(value: str, info: ValidationInfo) -> Path:
    """Return a path; a relative one as it lies from the settings file's folder, the validation's context `folder`."""
    path = Path(value).expanduser()
    return Path((info.context or {}).get("folder", ".")) / path


def there(path: Path) -> Path:
    """Return the path of a file that is there. Raises ValueError for any other."""
    if not path.is_file():
        raise ValueError(f"there is no such file ({path}); check the path")
    return path


def _placed_text(value: object, info: ValidationInfo) -> object:
    return placed(value, info) if isinstance(value, str) else value


AnyPath = Annotated[Path, BeforeValidator(_placed_text)]
"""A path; a relative one is taken from the settings file's folder."""
FileThere = Annotated[AnyPath, AfterValidator(there)]
"""A file that must be there when the settings are read."""
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Pixels = Annotated[int, Field(ge=1, le=16_384)]
Threads = Annotated[int, Field(ge=1, le=256)]
