"""A drawing as Mermaid text, which GitHub and GitLab show as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopflow.gitops.graph.model import Change, Edge, Graph, Line, Node, Shape

#: Before and after the text of a node.
_SHAPES: Mapping[Shape, tuple[str, str]] = {
    Shape.TRIGGER: ("([", "])"),
    Shape.SEND: ("[/", "/]"),
    Shape.WAIT: ("(", ")"),
    Shape.CHOICE: ("{", "}"),
    Shape.ROUNDS: ("{{", "}}"),
    Shape.STEP: ("[", "]"),
    Shape.END: ("([", "])"),
    Shape.EVENT: ("([", "])"),
    Shape.WORKFLOW: ("[", "]"),
    Shape.TEMPLATE: ("[/", "/]"),
    Shape.COUPON: ("[/", "\\]"),
    Shape.SEGMENT: ("{{", "}}"),
    Shape.CAP: ("[[", "]]"),
}
_LINES: Mapping[Line, str] = {Line.SOLID: "-->", Line.DOTTED: "-.->", Line.THICK: "==>"}
#: Colours that read on a light page and on a dark one.
_STYLES: Mapping[Shape, str] = {
    Shape.TRIGGER: "fill:#dbeafe,stroke:#1d4ed8,color:#111827",
    Shape.EVENT: "fill:#dbeafe,stroke:#1d4ed8,color:#111827",
    Shape.SEND: "fill:#dcfce7,stroke:#15803d,color:#111827",
    Shape.TEMPLATE: "fill:#dcfce7,stroke:#15803d,color:#111827",
    Shape.END: "fill:#f3f4f6,stroke:#4b5563,color:#111827",
}
#: What a change adds, removes or alters, and what no test shows; all else is as ever.
_CHANGES: Mapping[Change, tuple[str, str]] = {
    Change.ADDED: (
        "fill:#bbf7d0,stroke:#15803d,stroke-width:3px,color:#111827",
        "stroke:#15803d,stroke-width:3px",
    ),
    Change.REMOVED: (
        "fill:#fecaca,stroke:#b91c1c,stroke-width:3px,stroke-dasharray:6 4,color:#111827",
        "stroke:#b91c1c,stroke-width:2px,stroke-dasharray:6 4",
    ),
    Change.CHANGED: (
        "fill:#fde68a,stroke:#b45309,stroke-width:3px,color:#111827",
        "stroke:#b45309,stroke-width:3px",
    ),
    Change.UNTESTED: (
        "fill:#e9d5ff,stroke:#7e22ce,stroke-width:3px,stroke-dasharray:6 4,color:#111827",
        "stroke:#7e22ce,stroke-width:3px",
    ),
}
_LOOP = "stroke:#b91c1c,stroke-width:3px"
#: What means something inside a quoted text; the others of their kind follow from these.
_ENTITIES = {
    "#": "#35;",
    "&": "#amp;",
    '"': "#quot;",
    "<": "#lt;",
    ">": "#gt;",
    "`": "#96;",
    "\\": "#92;",
}


def mermaid(graph: Graph, *, across: bool = False) -> str:
    """The drawing from top to bottom, or across from left to right."""
    return "\n".join(_lines(graph, across=across)) + "\n"


def _lines(graph: Graph, *, across: bool) -> Iterator[str]:
    yield f"flowchart {'LR' if across else 'TD'}"
    # Numbers, since a word such as `end` would mean something.
    names = {node.id: f"n{number}" for number, node in enumerate(graph.nodes, 1)}
    nodes = {node.id: node for node in graph.nodes}
    framed = {name for group in graph.groups for name in group.nodes}
    for number, group in enumerate(graph.groups, 1):
        yield f'  subgraph g{number}["{_text(group.title)}"]'
        yield from (f"    {_node(nodes[name], names[name])}" for name in group.nodes)
        yield "  end"
    yield from (f"  {_node(node, names[node.id])}" for node in graph.nodes if node.id not in framed)
    yield from (f"  {_edge(edge, names)}" for edge in graph.edges)
    used = {node.shape for node in graph.nodes}
    yield from (f"  classDef {shape} {style}" for shape, style in _STYLES.items() if shape in used)
    changes = {node.change for node in graph.nodes}
    for change, (style, line) in _CHANGES.items():
        if change in changes:
            yield f"  classDef {change} {style}"
        numbers = [str(number) for number, edge in enumerate(graph.edges) if edge.change is change]
        if numbers:
            yield f"  linkStyle {','.join(numbers)} {line}"
    loops = [str(number) for number, edge in enumerate(graph.edges) if edge.loop]
    if loops:
        yield f"  linkStyle {','.join(loops)} {_LOOP}"


def _node(node: Node, name: str) -> str:
    before, after = _SHAPES[node.shape]
    text = "<br>".join(map(_text, node.lines))
    styled = f":::{node.shape}" if node.shape in _STYLES else ""
    styled = f":::{node.change}" if node.change else styled
    return f'{name}{before}"{text}"{after}{styled}'


def _edge(edge: Edge, names: Mapping[str, str]) -> str:
    label = f'|"{_text(edge.label)}"|' if edge.label else ""
    return f"{names[edge.source]} {_LINES[edge.line]}{label} {names[edge.target]}"


def _text(text: str) -> str:
    return "".join(_ENTITIES.get(char, char) for char in text)
