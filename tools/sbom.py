#!/usr/bin/env python3
"""Prints what rig is built from, as Cargo.lock and `cargo metadata` have it.

    tools/sbom.py TARGET BINARY        an SBOM, as CycloneDX JSON
    tools/sbom.py TARGET --licences    the licences' texts, which must go with a binary
"""
import hashlib
import json
import os
import subprocess
import sys
import time
import tomllib
import uuid
from pathlib import Path


class Built:
    """The packages that rig is built from for a target: each with its dependencies, and whether it is in the binary."""

    def __init__(self, target):
        command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
        metadata = json.loads(subprocess.check_output(command))
        self.packages = {package["id"]: package for package in metadata["packages"]}
        self.nodes = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
        is_rig = lambda package: any(it["name"] == "rig" and "bin" in it["kind"] for it in package["targets"])
        [self.rig] = [package["id"] for package in metadata["packages"] if is_rig(package)]
        self.all = self.reached({None, "build"}, lambda _: True)
        self.linked = self.reached({None}, lambda package: not self.is_macro(package))

    def is_macro(self, package):
        return any("proc-macro" in it["kind"] for it in package["targets"])

    def reached(self, kinds, wanted):
        found, left = set(), [self.rig]
        while left:
            here = left.pop()
            if here not in found and wanted(self.packages[here]):
                found.add(here)
                left += self.uses(here, kinds)
        return found

    def uses(self, package, kinds):
        deps = self.nodes[package]
        return [it["pkg"] for it in deps if kinds & {kind["kind"] for kind in it["dep_kinds"]}]

    def sorted(self, ids):
        return sorted((self.packages[id] for id in ids), key=lambda it: (it["name"], it["version"]))


def url(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, linked, checksums):
    described = {
        "type": "library",
        "bom-ref": url(package),
        "name": package["name"],
        "version": package["version"],
        "scope": "required" if linked else "excluded",
        "purl": url(package),
    }
    if package["license"]:
        # Some still write a slash.
        described["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        described["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return described


def sbom(built, binary):
    lock = tomllib.loads(Path("Cargo.lock").read_text())["package"]
    checksums = {(it["name"], it["version"]): it["checksum"] for it in lock if "checksum" in it}
    rig = built.packages[built.rig]
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()
    made = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    kinds = {None, "build"}
    dependencies = [
        {"ref": url(it), "dependsOn": sorted({url(built.packages[used]) for used in built.uses(it["id"], kinds)})}
        for it in built.sorted(built.all)
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", made),
            "component": {
                "type": "application",
                "bom-ref": url(rig),
                "name": "rig",
                "version": rig["version"],
                "licenses": [{"expression": rig["license"]}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "purl": url(rig),
            },
        },
        "components": [
            component(it, it["id"] in built.linked, checksums)
            for it in built.sorted(built.all)
            if it["id"] != built.rig
        ],
        "dependencies": dependencies,
    }


def licences(built):
    """The licence of each library, and each text once, with the libraries that it came with."""
    print("Libraries that are part of this executable, with their licences.\n")
    of_text = {}
    for package in built.sorted(built.linked):
        # A package without a source is a crate of this repository.
        if not package["source"]:
            continue
        name = f"{package['name']} {package['version']}"
        print(f"{name}: {package['license']}")
        for file in sorted(Path(package["manifest_path"]).parent.iterdir()):
            if file.is_file() and file.name.upper().startswith(("LICEN", "COPYING", "NOTICE", "COPYRIGHT")):
                text = file.read_text(errors="replace").strip()
                names, _ = of_text.setdefault(" ".join(text.split()), ([], text))
                names.append(name)
    for names, text in of_text.values():
        print(f"\n{'=' * 80}\n{', '.join(dict.fromkeys(names))}\n\n{text}")


built = Built(sys.argv[1])
if sys.argv[2] == "--licences":
    licences(built)
else:
    json.dump(sbom(built, Path(sys.argv[2])), sys.stdout, indent=1, ensure_ascii=False)
    print()
