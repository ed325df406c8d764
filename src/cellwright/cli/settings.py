"""The user's file of settings, `cellwright.toml`."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from cellwright.errors import CellwrightError


class Settings(BaseModel):
    """How Kubeflow Pipelines is reached."""

    model_config = ConfigDict(extra="forbid")

    host: str | None = None
    namespace: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    insecure_http: bool | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kubeflow: Settings = Settings()


def read_settings(folder: Path) -> Settings:
    """Return the settings of the file in the user's folder of configuration; none if there is no file.

    Raises:
        CellwrightError: it cannot be read, or holds something else.
    """
    path = folder / "cellwright.toml"
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).kubeflow
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        reason = "; ".join(
            f"{'.'.join(map(str, details['loc']))}: {details['msg']}"
            for details in (error.errors() if isinstance(error, ValidationError) else ())
        )
        raise CellwrightError(
            f"{path} must be TOML with {', '.join(Settings.model_fields)} under [kubeflow]: {reason or error}"
        ) from error
