"""system_library(): a package of the host distribution as a Bazel repository.

The repository carries the ecosystem's name and labels, so that a consumer's own definition of it
takes its place.
"""

_SEARCH = ["/usr/include", "/usr/include/x86_64-linux-gnu", "/usr/local/include"]

def _missing(ctx, what):
    return ("\n\nHalite: %s was not found; it is part of @%s. Install it with\n\n    sudo apt install %s\n\n" +
            "and run the build again (`bazel sync --configure` looks anew).\n") % (
        what,
        ctx.name,
        " ".join(ctx.attr.apt),
    )

def _linkopts(ctx, text):
    """'-lfoo' words as they are; 'pkg-config:NAME' asks pkg-config."""
    options = []
    for word in text.split(" "):
        if not word.startswith("pkg-config:"):
            options += [word] if word else []
            continue
        pkg_config = ctx.which("pkg-config")
        if not pkg_config:
            fail(_missing(ctx, "pkg-config"))
        module = word[len("pkg-config:"):]
        result = ctx.execute([pkg_config, "--libs", module])
        if result.return_code != 0:
            fail(_missing(ctx, "the pkg-config module " + module))
        options += [flag for flag in result.stdout.strip().split(" ") if flag]
    return options

def _impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = %r)\n" % ctx.name)
    root = ctx.attr.root
    if ctx.attr.root_variable:
        root = ctx.os.environ.get(ctx.attr.root_variable, "") or root
    search = [root] if root else _SEARCH

    found = {}
    for header in ctx.attr.headers:
        for directory in search:
            if ctx.path(directory + "/" + header).exists:
                found[header] = directory
                break
        if header not in found:
            if not ctx.attr.optional:
                fail(_missing(ctx, header))
            ctx.file("defs.bzl", "AVAILABLE = False\n")
            ctx.file("BUILD.bazel", "")
            for label in ctx.attr.targets:
                package, name = label.split(":")
                ctx.file((package + "/" if package else "") + "BUILD.bazel", 'cc_library(name = "%s", visibility = ["//visibility:public"])\n' % name)
            return

    # Headers are symlinked below include/: the sandbox sees them.
    for entry in ctx.attr.include:
        for directory in search:
            if ctx.path(directory + "/" + entry).exists:
                ctx.symlink(directory + "/" + entry, "include/" + entry if entry else "include")
                break

    packages = {"": ["""
cc_library(
    name = "headers",
    hdrs = glob(["include/**"], allow_empty = False),
    includes = ["include"],
)
"""]}
    for label, options in ctx.attr.targets.items():
        package, name = label.split(":")
        packages.setdefault(package, []).append("""
cc_library(
    name = "{name}",
    linkopts = {linkopts},
    deps = ["//:headers"],
)
""".format(name = name, linkopts = repr(_linkopts(ctx, options))))
    for tool in ctx.attr.tools:
        path = ctx.which(tool)
        if not path:
            fail(_missing(ctx, tool))
        ctx.symlink(path, "bin/" + tool)
        packages[""].append('exports_files(["bin/%s"])\n' % tool)
    for package, rules in packages.items():
        ctx.file(
            (package + "/" if package else "") + "BUILD.bazel",
            'package(default_visibility = ["//visibility:public"])\n' + "".join(rules),
        )
    ctx.file("defs.bzl", "AVAILABLE = True\n")

system_library = repository_rule(
    implementation = _impl,
    local = True,
    configure = True,
    environ = ["HALITE_CUDA_ROOT"],
    attrs = {
        "headers": attr.string_list(doc = "files that must exist"),
        "include": attr.string_list(doc = "folders or files below the include root to offer; '' is all of it"),
        "targets": attr.string_dict(doc = "'package:name' -> link options"),
        "tools": attr.string_list(doc = "programs of PATH, offered as bin/<name>"),
        "apt": attr.string_list(doc = "Debian packages that hold it"),
        "root": attr.string(doc = "include root, else the system's"),
        "root_variable": attr.string(doc = "environment variable that overrides root"),
        "optional": attr.bool(doc = "an absent package makes empty targets and AVAILABLE = False"),
    },
)
