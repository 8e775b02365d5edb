"""A drawing in the language of Graphviz, and as a picture by its program."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping

from shopflow.errors import SettingsError
from shopflow.gitops.graph.model import Change, Edge, Graph, Line, Node, Shape

_SHAPES: Mapping[Shape, str] = {
    Shape.TRIGGER: 'shape=box style="rounded,filled" fillcolor="#dbeafe" color="#1d4ed8"',
    Shape.EVENT: 'shape=box style="rounded,filled" fillcolor="#dbeafe" color="#1d4ed8"',
    Shape.SEND: 'shape=note style=filled fillcolor="#dcfce7" color="#15803d"',
    Shape.TEMPLATE: 'shape=note style=filled fillcolor="#dcfce7" color="#15803d"',
    Shape.WAIT: "shape=box style=rounded",
    Shape.CHOICE: "shape=diamond",
    Shape.ROUNDS: "shape=hexagon",
    Shape.STEP: "shape=box",
    Shape.END: 'shape=oval style=filled fillcolor="#f3f4f6" color="#4b5563"',
    Shape.WORKFLOW: "shape=box",
    Shape.COUPON: "shape=tab",
    Shape.SEGMENT: "shape=hexagon",
    Shape.CAP: "shape=box peripheries=2",
}
_LINES: Mapping[Line, str] = {
    Line.SOLID: "solid",
    Line.DOTTED: "dashed",
    Line.THICK: "bold",
}
#: Of a node and of an edge; later words of Graphviz count before earlier ones.
_CHANGES: Mapping[Change, tuple[str, str]] = {
    Change.NONE: ("", ""),
    Change.ADDED: (
        ' style=filled fillcolor="#bbf7d0" color="#15803d" penwidth=3',
        ' color="#15803d" penwidth=3',
    ),
    Change.REMOVED: (
        ' style="filled,dashed" fillcolor="#fecaca" color="#b91c1c" penwidth=3',
        ' color="#b91c1c" penwidth=2',
    ),
    Change.CHANGED: (
        ' style=filled fillcolor="#fde68a" color="#b45309" penwidth=3',
        ' color="#b45309" penwidth=3',
    ),
    Change.UNTESTED: (
        ' style="filled,dashed" fillcolor="#e9d5ff" color="#7e22ce" penwidth=3',
        ' color="#7e22ce" penwidth=3',
    ),
}
_LOOP = 'color="#b91c1c"'
#: The program has to answer within so many seconds.
PATIENCE = 120


def dot(graph: Graph, *, across: bool = False) -> str:
    """The drawing as DOT text, from top to bottom or across from left to right."""
    return "\n".join(_lines(graph, across=across)) + "\n"


def svg(graph: Graph, *, across: bool = False) -> str:
    """The drawing as a picture.

    Raises:
        SettingsError: Graphviz is not installed, or could not draw it.
    """
    program = shutil.which("dot")
    if program is None:
        raise SettingsError(
            "svg needs the program `dot` of Graphviz: install it (apt install graphviz), or take "
            "--format mermaid, which needs nothing"
        )
    text = dot(graph, across=across).encode()
    try:
        drawn = subprocess.run(  # noqa: S603 - the program found above, on text of our own
            [program, "-Tsvg"], input=text, capture_output=True, check=True, timeout=PATIENCE
        )
    except (OSError, subprocess.SubprocessError) as e:
        raise SettingsError(f"Graphviz could not draw this: {e}") from e
    return drawn.stdout.decode()


def _lines(graph: Graph, *, across: bool) -> Iterator[str]:
    yield "digraph rules {"
    yield f"  rankdir={'LR' if across else 'TB'}"
    yield '  node [fontname="Helvetica" fontsize=11]'
    yield '  edge [fontname="Helvetica" fontsize=9]'
    yield from (f"  {_node(node)}" for node in graph.nodes)
    for number, group in enumerate(graph.groups, 1):
        members = " ".join(map(_quoted, group.nodes))
        yield f"  subgraph cluster_{number} {{ label={_quoted(group.title)} {members} }}"
    yield from (f"  {_edge(edge)}" for edge in graph.edges)
    yield "}"


def _node(node: Node) -> str:
    label = "\\n".join(_escaped(line) for line in node.lines)
    return f'{_quoted(node.id)} [label="{label}" {_SHAPES[node.shape]}{_CHANGES[node.change][0]}]'


def _edge(edge: Edge) -> str:
    label = f" label={_quoted(edge.label)}" if edge.label else ""
    loop = f" {_LOOP}" if edge.loop else ""
    style = _LINES[edge.line] if edge.change is not Change.REMOVED else "dashed"
    change = _CHANGES[edge.change][1]
    return f"{_quoted(edge.source)} -> {_quoted(edge.target)} [style={style}{label}{loop}{change}]"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
