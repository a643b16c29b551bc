"""A hub on a web server of this machine: models, their revisions, and what it publishes."""

import hashlib
import json
from collections.abc import Mapping

from tests.checkpoints.web import Web


def commit_of(revision: str) -> str:
    return hashlib.sha1(revision.encode()).hexdigest()


def publish(
    web: Web,
    model: str,
    revisions: Mapping[str, Mapping[str, bytes]],
    tags: tuple[str, ...] = (),
) -> None:
    """Put up every file of every revision, branches but for `tags`."""
    refs: dict[str, list] = {"branches": [], "tags": [], "converts": []}
    for name, files in revisions.items():
        commit = commit_of(name)
        kind = "tags" if name in tags else "branches"
        refs[kind].append({"name": name, "ref": f"refs/{name}", "targetCommit": commit})
        nodes: list[dict] = [{"type": "directory", "path": "logs", "oid": "0", "size": 0}]
        for path, content in files.items():
            web.files[f"/{model}/resolve/{commit}/{path}"] = content
            sha1 = hashlib.sha1(content).hexdigest()
            node = {"type": "file", "path": path, "oid": sha1, "size": len(content)}
            if not path.endswith(".json"):
                sha256 = hashlib.sha256(content).hexdigest()
                node["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 135}
            nodes.append(node)
        web.files[f"/api/models/{model}/tree/{commit}"] = json.dumps(nodes).encode()
    web.files[f"/api/models/{model}/refs"] = json.dumps(refs).encode()
