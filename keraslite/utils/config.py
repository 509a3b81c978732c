"""`Config`: settings by attribute and by key, which may be frozen."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any


class Config:
    """Settings by attribute and by key, which may be frozen.

    Args:
        **kwargs: the settings.

    Example:
        >>> config = keras.utils.Config(learning_rate=0.1, momentum=0.9)
        >>> config.learning_rate = 0.2
        >>> config["learning_rate"]
        0.2
        >>> config.freeze().momentum = 0.5
        Traceback (most recent call last):
        ValueError: ...
    """

    _config: dict[str, Any]
    _frozen: bool

    def __init__(self, **kwargs: Any) -> None:
        object.__setattr__(self, "_config", dict(kwargs))
        object.__setattr__(self, "_frozen", False)

    def _changeable(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError(
                "The config is frozen and cannot be changed. Call `config.unfreeze()` first."
            )
        return self._config

    # By key --------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Any:
        return self._config[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._changeable()[name] = value

    def __delitem__(self, name: str) -> None:
        del self._changeable()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._config

    def __iter__(self) -> Iterator[str]:
        # A snapshot, so that settings may change on the way.
        return iter(list(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._config.keys()

    def values(self) -> ValuesView[Any]:
        """The values."""
        return self._config.values()

    def items(self) -> ItemsView[str, Any]:
        """Pairs of name and value."""
        return self._config.items()

    def get(self, keyname: str, value: Any = None) -> Any:
        """The setting called `keyname`, or `value` where there is none."""
        return self._config.get(keyname, value)

    def pop(self, *args: Any) -> Any:
        """Remove a setting and return it; the second argument is for where there is none."""
        return self._changeable().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several settings, from a dict and keyword arguments."""
        self._changeable().update(*args, **kwargs)

    # By attribute --------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return object.__getattribute__(self, "_config")[name]
        except KeyError:
            raise AttributeError(
                f"The config has no setting {name!r}. It has: {', '.join(self._config)}"
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._changeable()[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._changeable():
            raise AttributeError(f"The config has no setting {name!r}.")
        del self._config[name]

    # As a whole ----------------------------------------------------------------------

    @property
    def frozen(self) -> bool:
        """Whether it cannot be changed."""
        return self._frozen

    def freeze(self) -> Config:
        """Forbid changes; returns the config."""
        object.__setattr__(self, "_frozen", True)
        return self

    def unfreeze(self) -> Config:
        """Allow changes again; returns the config."""
        object.__setattr__(self, "_frozen", False)
        return self

    def as_dict(self) -> dict[str, Any]:
        """A copy as a dict."""
        return dict(self._config)

    def to_json(self) -> str:
        """The settings as JSON."""
        return json.dumps(self._config)

    def __getstate__(self) -> tuple[dict[str, Any], bool]:
        return self._config, self._frozen

    def __setstate__(self, state: tuple[dict[str, Any], bool]) -> None:
        object.__setattr__(self, "_config", state[0])
        object.__setattr__(self, "_frozen", state[1])

    def __repr__(self) -> str:
        return f"<Config {self._config}>"
