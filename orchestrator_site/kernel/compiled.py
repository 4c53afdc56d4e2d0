"""Queries that run often, built and compiled to SQL once per database.

`changed = Compiled(lambda project, since: Task.objects.filter(project=project, updated_at__gt=since))` is called as
`changed(project=1, since=yesterday)` and returns the rows of that queryset in a list. Models, `only()`, joins,
`values_list()`, converters and execute wrappers behave as always, because Django's own iterables read the rows.

- No value is None: IS NULL is another query. Several foreign keys are compared by `fk__pk__in`.
- What is not an argument is a constant, slices too.
- Call one with `select_for_update()` in a transaction; only the first call checks that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from inspect import signature
from types import SimpleNamespace
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BooleanField,
    CharField,
    Expression,
    Field,
    ForeignKey,
    IntegerField,
    Model,
    Q,
    QuerySet,
    TextField,
)
from django.db.models.constants import OnConflict
from django.db.models.expressions import Combinable
from django.db.models.lookups import Lookup
from django.db.models.sql import InsertQuery, Query, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row")
Copied = TypeVar("Copied")
Key = tuple[Any, ...]
"""A database, and for each argument how many slots its list has; None where it is a single value."""


class Slot(Expression):
    """The place of a value in compiled SQL, or of one element (`index`) of a list."""

    compared_with: Field[Any, Any] | None = None

    def __init__(self, name: str, index: int | None = None) -> None:
        super().__init__()
        self.name, self.index = name, index

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Slot:
        """Return a copy, because the same argument may be compared with different fields."""
        return _copy(self)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        return "%s", [self]

    def value_in(self, values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> Any:
        """Return the value as the driver takes it; the last element of a list fills the slots behind it."""
        value = values[self.name]
        if self.index is not None:
            value = value[min(self.index, len(value) - 1)]
        value = _key_of(value)
        if value is None or self.compared_with is None:
            raise ValueError(f"{self.name} is None, or compared with nothing that has a field.")
        return self.compared_with.get_db_prep_value(value, connection)


class _Made(NamedTuple):
    sql: str
    params: Sequence[Any]
    queryset: Any
    compiler: SQLCompiler
    converters: dict[int, Any]


class Compiled(Generic[Row]):
    """A queryset with a slot for each argument of the function that builds it."""

    every: ClassVar[list[Compiled[Any]]] = []

    def __init__(self, build: Callable[..., QuerySet[Any, Row]]) -> None:
        self.build = build
        self.names = tuple(signature(build).parameters)
        self._made: dict[Key, _Made | None] = {}
        self.every.append(self)

    def __call__(self, using: str = DEFAULT_DB_ALIAS, /, **values: Any) -> list[Row]:
        key = self.key(using, values)
        if key not in self._made:
            self._made[key] = self._make(key)
        if (made := self._made[key]) is None:
            return []
        connection = connections[using]
        statement = made.sql, _bound(made.params, values, connection)
        compiler = _copy(
            made.compiler,
            connection=connection,
            as_sql=lambda: statement,
            get_converters=lambda columns: made.converters,
        )
        query = _copy(made.queryset.query, get_compiler=lambda using: compiler)
        rows: list[Row] = list(made.queryset._iterable_class(_copy(made.queryset, _query=query)))
        return rows

    def first(self, using: str = DEFAULT_DB_ALIAS, /, **values: Any) -> Row | None:
        """Return the first row; slice the queryset where there may be more."""
        return next(iter(self(using, **values)), None)

    def get(self, using: str = DEFAULT_DB_ALIAS, /, **values: Any) -> Row:
        """Return the only row. Raises the model's DoesNotExist."""
        for row in self(using, **values):
            return row
        raise self.build(**values).model.DoesNotExist

    def key(self, using: str, values: Mapping[str, Any]) -> Key:
        if len(values) != len(self.names):
            raise TypeError(f"Takes {', '.join(self.names)}.")
        return using, *[_slots_for(values[name]) for name in self.names]

    def with_slots(self, key: Key) -> Any:
        using, *counts = key
        slots = {
            name: Slot(name) if count is None else [Slot(name, index) for index in range(count)]
            for name, count in zip(self.names, counts, strict=True)
        }
        queryset: Any = self.build(**slots).using(using)
        if queryset._prefetch_related_lookups:
            raise TypeError("prefetch_related() is not supported.")
        _find_fields(queryset.query)
        return queryset

    def _make(self, key: Key) -> _Made | None:
        queryset = self.with_slots(key)
        compiler = queryset.query.get_compiler(key[0])
        try:
            sql, params = compiler.as_sql()
        except EmptyResultSet:
            return None
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        del compiler.connection  # this thread's
        return _Made(sql, params, queryset, compiler, converters)


class CompiledUpdate:
    """An update of a queryset, compiled for each set of columns. Sends no signals.

    `computed` are columns that the database computes each time.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], **computed: Combinable | Q) -> None:
        self.rows = Compiled(build)
        self._computed = computed
        self._made: dict[tuple[Key, tuple[str, ...]], tuple[str, list[Field[Any, Any]], Sequence[Any]] | None] = {}

    def __call__(self, changes: Mapping[str, Any], using: str = DEFAULT_DB_ALIAS, /, **values: Any) -> int:
        """Set columns, and return how many rows matched."""
        key = self.rows.key(using, values), tuple(changes)
        if key not in self._made:
            self._made[key] = self._make(*key)
        if (made := self._made[key]) is None:
            return 0
        sql, fields, params = made
        connection = connections[using]
        new = [
            field.get_db_prep_save(_key_of(value), connection)
            for field, value in zip(fields, changes.values(), strict=True)
        ]
        with transaction.mark_for_rollback_on_error(using), connection.cursor() as cursor:
            cursor.execute(sql, new + _bound(params, values, connection))
            return int(cursor.rowcount)

    def _make(self, key: Key, columns: tuple[str, ...]) -> tuple[str, list[Field[Any, Any]], Sequence[Any]] | None:
        query = self.rows.with_slots(key).query.chain(UpdateQuery)
        query.add_update_values({name: Slot(name) for name in columns} | self._computed)
        try:
            sql, params = query.get_compiler(key[0]).as_sql()
        except EmptyResultSet:
            return None
        return sql, [field for field, _, _ in query.values[: len(columns)]], params[len(columns) :]


_INSERTS: dict[Key, str] = {}
_FEW_ROWS, _MOST_ROWS = 16, 256
_PLAIN = (CharField, TextField, IntegerField, BooleanField, ForeignKey)
"""Fields that pass texts and integers on as they are."""


def insert(*rows: Model, update: Sequence[str] = (), unique: Sequence[str] = (), using: str = DEFAULT_DB_ALIAS) -> None:
    """Save new rows of one model by one statement. Sends no signals.

    Where there is a row with the same `unique` columns, the columns to `update` get the new values.
    """
    meta: Any = rows[0]._meta
    fields = [field for field in meta.concrete_fields if field is not meta.auto_field and not field.generated]
    kind = type(rows[0]), len(rows), using, *update, *unique
    if kind not in _INSERTS:
        conflicts = {
            "on_conflict": OnConflict.UPDATE if update else None,
            "update_fields": [meta.get_field(name) for name in update],
            "unique_fields": [meta.get_field(name) for name in unique],
        }
        query: Any = InsertQuery(type(rows[0]), **conflicts)
        slots = SimpleNamespace(**{field.attname: Slot("") for field in fields})
        query.insert_values(fields, [slots] * len(rows), raw=True)
        compiler = query.get_compiler(using)
        compiler.returning_fields = [meta.pk]
        [(_INSERTS[kind], _)] = compiler.as_sql()
    connection = connections[using]
    times: dict[datetime, Any] = {}
    values = [_prepared(field, field.pre_save(row, add=True), connection, times) for row in rows for field in fields]
    with transaction.mark_for_rollback_on_error(using), connection.cursor() as cursor:
        cursor.execute(_INSERTS[kind], values)
        for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk, row._state.adding, row._state.db = key, False, using


def _prepared(field: Field[Any, Any], value: Any, connection: BaseDatabaseWrapper, times: dict[datetime, Any]) -> Any:
    """Return what the field makes of a value; for most it is the value, and asking takes half of an insert.

    `times` are those that were asked for before, since the rows of one insert share many.
    """
    if value is None or (type(value) in (str, int, bool) and isinstance(field, _PLAIN)):
        return value
    if isinstance(value, datetime):
        if value not in times:
            times[value] = field.get_db_prep_save(value, connection)
        return times[value]
    return field.get_db_prep_save(value, connection)


def insert_all(rows: Sequence[Model], *, update: Sequence[str] = (), unique: Sequence[str] = ()) -> None:
    """Save rows as `insert` does, by few statements; many in powers of two, so that few sizes are compiled."""
    while rows:
        size = len(rows) if len(rows) <= _FEW_ROWS else min(_MOST_ROWS, 1 << (len(rows).bit_length() - 1))
        insert(*rows[:size], update=update, unique=unique)
        rows = rows[size:]


def _slots_for(value: Any) -> int | None:
    """Return the next power of two for the length of a list, so that few lengths are compiled."""
    if not isinstance(value, list | tuple):
        return None
    return 1 << (len(value) - 1).bit_length() if value else 0


def _key_of(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value


def _bound(params: Sequence[Any], values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
    return [param.value_in(values, connection) if type(param) is Slot else param for param in params]


def _find_fields(node: Any) -> None:
    """Give each slot the field it is compared with, so that dates, JSON and booleans are adapted to the database."""
    if isinstance(node, Lookup):
        for value in [node.rhs, *_parts_of(node.rhs)]:
            if isinstance(value, Slot):
                value.compared_with = node.lhs.output_field
    for part in _parts_of(node):
        _find_fields(part)


def _parts_of(node: Any) -> list[Any]:
    if isinstance(node, Query):
        return [node.where, *node.annotations.values(), *node.combined_queries]
    return node.get_source_expressions() if hasattr(node, "get_source_expressions") else []


def _copy(original: Copied, **changes: object) -> Copied:
    """Copy an object, with attributes or methods of its own."""
    made = object.__new__(type(original))
    vars(made).update(vars(original), **changes)
    return made
