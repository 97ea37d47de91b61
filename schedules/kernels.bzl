"""halide_generators(), halide_kernels(): operators compiled while the project builds; halide_tuner().

    halide_generators(
        name = "softmax_generators",
        srcs = ["softmax.cc"],
        deps = ["//ops/algorithms:softmax"],
    )

    halide_kernels(
        name = "softmax",
        generators = ":softmax_generators",
        kernels = {"softmax": {}},
        gradients = {"softmax_grad": {}},
        dtypes = ["f32", "f64"],
    )

makes //...:softmax_kernels, a library without headers: linking it puts softmax_f32_cpu,
softmax_f32_cuda, softmax_f64_cpu and the gradients into the program's kernel table. With
--@halite//core:inference_only the gradients stay out. //...:softmax_kernels_opencl (testonly) holds
the GPU schedules compiled for OpenCL, so that tests run them on machines without a GPU.

Everything that only an old Bazel accepts stands here and in third_party.
"""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")
load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library")
load("//schedules:tunings.bzl", "TUNINGS")

# Every kernel: the Halide runtime is linked once, and each call carries an ExecutionContext.
_COMMON = "-no_runtime-user_context"

# CPU instruction sets, best first: a kernel's dispatcher takes the first that the machine has.
# The last is the baseline. core/instruction_set.cc decides what the machine has.
INSTRUCTION_SETS = {
    "zen4": "x86-64-linux-sse41-avx-avx2-f16c-fma-avx512-avx512_skylake-avx512_cannonlake-avx512_zen4",
    "avx512": "x86-64-linux-sse41-avx-avx2-f16c-fma-avx512-avx512_skylake",
    "avx2": "x86-64-linux-sse41-avx-avx2-f16c-fma",
    "sse41": "x86-64-linux-sse41",
}

_GPU_TARGETS = {
    "cuda": "x86-64-linux-cuda-cuda_capability_80",
    "opencl": "x86-64-linux-opencl-cl_doubles",
}

# float64 serves gradient checks and the rare user: two instruction sets suffice.
_DTYPES = {
    "f32": struct(halide = "float32", sets = ["zen4", "avx512", "avx2", "sse41"]),
    "f64": struct(halide = "float64", sets = ["avx2", "sse41"]),
    "i32": struct(halide = "int32", sets = ["avx2", "sse41"]),
}

_Text = provider(fields = ["value"])

# What the tuner knows of a kernel: a line of its list of kernels.
_Kernel = provider(fields = ["line"])

def _text_flag_impl(ctx):
    value = ctx.build_setting_value
    allowed = ctx.attr.values
    for word in value.split(","):
        if word not in allowed:
            fail("--%s=%s: give one of %s." % (ctx.label, value, ", ".join(allowed)))
    return [_Text(value = value)]

# A build setting that takes a comma-separated list of words out of `values`.
text_flag = rule(
    implementation = _text_flag_impl,
    build_setting = config.string(flag = True),
    attrs = {"values": attr.string_list(mandatory = True)},
)

def _toolchain(ctx):
    cc_toolchain = find_cpp_toolchain(ctx)
    return cc_toolchain, cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = cc_toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )

def _archive(ctx, cc_toolchain, features, library, flags = []):
    """A CcInfo that links the static archive `library`."""
    return CcInfo(linking_context = cc_common.create_linking_context(
        linker_inputs = depset([cc_common.create_linker_input(
            owner = ctx.label,
            libraries = depset([cc_common.create_library_to_link(
                actions = ctx.actions,
                feature_configuration = features,
                cc_toolchain = cc_toolchain,
                static_library = library,
                pic_static_library = library,
            )]),
            user_link_flags = depset(flags),
        )]),
    ))

def _targets(ctx):
    """The Halide targets of this kernel, best first."""
    sanitizer = ctx.attr._sanitizer[_Text].value
    extra = "" if sanitizer == "none" else "-" + sanitizer
    if ctx.attr.backend in _GPU_TARGETS:
        return [_GPU_TARGETS[ctx.attr.backend] + _COMMON]
    asked = ["all"] if ctx.attr.function else ctx.attr._instruction_sets[_Text].value.split(",")
    known = ctx.attr.sets or _DTYPES[ctx.attr.dtype].sets
    sets = [s for s in known if "all" in asked or s in asked]
    return [INSTRUCTION_SETS[s] + extra + _COMMON for s in (sets or known[-1:])]

def _halide_kernel_impl(ctx):
    cc_toolchain, features = _toolchain(ctx)
    function = "%s_%s_%s" % (ctx.attr.kernel, ctx.attr.dtype, ctx.attr.backend)
    if ctx.attr.function:
        function = ctx.attr.function
    folder = ctx.label.name + ".kernel/"
    library = ctx.actions.declare_file(folder + function + ".a")
    header = ctx.actions.declare_file(folder + function + ".h")
    registration = ctx.actions.declare_file(folder + function + ".registration.cpp")
    args = ctx.actions.args()
    args.add_all(["-g", ctx.attr.generator, "-f", function, "-n", function, "-o", library.dirname])
    args.add_all(["-e", "static_library,c_header,registration"])
    args.add("target=" + ",".join(_targets(ctx)))
    args.add("dtype=" + _DTYPES[ctx.attr.dtype].halide)
    for key, value in sorted(ctx.attr.params.items()):
        args.add("%s=%s" % (key, value))
    if ctx.attr.tuning:
        args.add("tuning=" + ctx.attr.tuning)
    outputs = [library, header, registration]
    progress = "Compiling kernel " + function
    if ctx.attr.backend in _GPU_TARGETS:
        # A stage that the schedule leaves on the host would copy its data there and back in each
        # call, and nothing would say so.
        ctx.actions.run_shell(
            command = """"$@" || exit
if "%s" "%s" | grep -q "U halide_copy_to_host"; then
  echo "error: %s: the GPU schedule leaves a stage on the host: give each stage a gpu_tile or" \
       "compute it inside another, pure definitions under an update included." >&2
  exit 1
fi""" % (cc_toolchain.nm_executable, library.path, function),
            arguments = [ctx.executable.generators.path, args],
            outputs = outputs,
            tools = depset([ctx.executable.generators], transitive = [cc_toolchain.all_files]),
            mnemonic = "HalideKernel",
            progress_message = progress,
        )
    else:
        ctx.actions.run(
            executable = ctx.executable.generators,
            arguments = [args],
            outputs = outputs,
            mnemonic = "HalideKernel",
            progress_message = progress,
        )

    # The registration object is always linked: it puts the kernel into the kernel table and pulls
    # the archive in.
    compilation_context, objects = cc_common.compile(
        name = ctx.label.name,
        actions = ctx.actions,
        feature_configuration = features,
        cc_toolchain = cc_toolchain,
        srcs = [registration],
        public_hdrs = [header],
        compilation_contexts = [d[CcInfo].compilation_context for d in ctx.attr.deps],
    )
    linking_context, _ = cc_common.create_linking_context_from_compilation_outputs(
        name = ctx.label.name,
        actions = ctx.actions,
        feature_configuration = features,
        cc_toolchain = cc_toolchain,
        compilation_outputs = objects,
        alwayslink = True,
        disallow_dynamic_library = True,
    )
    registered = CcInfo(compilation_context = compilation_context, linking_context = linking_context)
    params = ",".join(["%s=%s" % item for item in sorted(ctx.attr.params.items())])
    return [
        _Kernel(line = "\t".join(["kernel", ctx.attr.op, ctx.attr.kernel, ctx.attr.generator, params])),
        DefaultInfo(files = depset([library, header, registration])),
        cc_common.merge_cc_infos(
            direct_cc_infos = [registered, _archive(ctx, cc_toolchain, features, library)],
            cc_infos = [d[CcInfo] for d in ctx.attr.deps],
        ),
    ]

_CC = {"_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain")}

_halide_kernel = rule(
    implementation = _halide_kernel_impl,
    attrs = dict(_CC, **{
        "generators": attr.label(executable = True, cfg = "exec", mandatory = True),
        "generator": attr.string(mandatory = True),
        "kernel": attr.string(mandatory = True),
        "op": attr.string(doc = "name of the halide_kernels() that the kernel belongs to"),
        "tuning": attr.string(doc = "entries of the table of tunings: see schedules/tuning.h"),
        "function": attr.string(doc = "C name, if not <kernel>_<dtype>_<backend>"),
        "dtype": attr.string(mandatory = True, values = _DTYPES.keys()),
        "backend": attr.string(mandatory = True, values = ["cpu"] + _GPU_TARGETS.keys()),
        "sets": attr.string_list(doc = "instruction sets, if not those of the dtype"),
        "params": attr.string_dict(),
        "deps": attr.label_list(providers = [CcInfo]),
        "_instruction_sets": attr.label(default = "//schedules:instruction_sets"),
        "_sanitizer": attr.label(default = "//schedules:sanitizer"),
    }),
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    fragments = ["cpp"],
    incompatible_use_toolchain_transition = True,
)

def _halide_runtime_impl(ctx):
    cc_toolchain, features = _toolchain(ctx)
    library = ctx.actions.declare_file(ctx.label.name + ".a")
    sanitizer = ctx.attr._sanitizer[_Text].value
    target = "x86-64-linux-cuda-opencl-user_context" + ("" if sanitizer == "none" else "-" + sanitizer)
    args = ctx.actions.args()
    args.add_all(["-r", ctx.label.name, "-o", library.dirname, "-e", "static_library", "target=" + target])
    ctx.actions.run(
        executable = ctx.executable.generators,
        arguments = [args],
        outputs = [library],
        mnemonic = "HalideRuntime",
        progress_message = "Compiling the Halide runtime",
    )
    return [
        DefaultInfo(files = depset([library])),
        cc_common.merge_cc_infos(
            direct_cc_infos = [_archive(ctx, cc_toolchain, features, library, ["-ldl", "-lpthread"])],
            cc_infos = [d[CcInfo] for d in ctx.attr.deps],
        ),
    ]

# The Halide runtime (CPU, CUDA and OpenCL), linked once into every program.
halide_runtime = rule(
    implementation = _halide_runtime_impl,
    attrs = dict(_CC, **{
        "generators": attr.label(executable = True, cfg = "exec", mandatory = True),
        "deps": attr.label_list(providers = [CcInfo]),
        "_sanitizer": attr.label(default = "//schedules:sanitizer"),
    }),
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    fragments = ["cpp"],
    incompatible_use_toolchain_transition = True,
)

def halide_generators(name, srcs, deps = [], visibility = None):
    """One program that holds every generator of `srcs`: one per operator family."""
    cc_library(
        name = name + "_library",
        srcs = srcs,
        # -O1: the program runs for a fraction of a second, and optimising it costs more.
        copts = ["-std=c++17", "-O1", "-g0", "-Wall", "-Wextra", "-Wno-unused-parameter"],
        deps = deps + [
            Label("//schedules:op_generator"),
            "@halide//:language",
        ],
        # Generators register themselves.
        alwayslink = True,
        linkstatic = True,
        tags = ["manual"],
        visibility = visibility,
    )
    cc_binary(
        name = name,
        deps = [name + "_library", "@halide//:gengen"],
        # Built only as a tool, for the machine that builds.
        tags = ["manual"],
        visibility = visibility,
    )

_KernelLines = provider(fields = ["lines"])

def _kernel_lines_impl(target, ctx):
    deps = getattr(ctx.rule.attr, "deps", [])
    is_tunable = _Kernel in target and ctx.rule.attr.backend == "cpu" and ctx.rule.attr.dtype == "f32"
    return [_KernelLines(lines = depset(
        [target[_Kernel].line] if is_tunable else [],
        transitive = [d[_KernelLines].lines for d in deps if _KernelLines in d],
    ))]

_kernel_lines = aspect(implementation = _kernel_lines_impl, attr_aspects = ["deps"])

def _kernel_list_impl(ctx):
    sets = ["set\t%s\t%s" % item for item in INSTRUCTION_SETS.items()]
    kernels = depset(transitive = [k[_KernelLines].lines for k in ctx.attr.kernels])
    ctx.actions.write(ctx.outputs.out, "\n".join(sets + sorted(kernels.to_list())) + "\n")

# The instruction sets and the float32 CPU kernels of libraries, for the tuner.
_kernel_list = rule(
    implementation = _kernel_list_impl,
    attrs = {
        "kernels": attr.label_list(aspects = [_kernel_lines]),
        "out": attr.output(mandatory = True),
    },
)

def halide_tuner(name, srcs, generators, kernels, table, visibility = None, testonly = False):
    """The program that tunes kernels and writes their table: see docs/tuning.md.

    Args:
      name: of the program; `./bazelw run :<name> -- --help`.
      srcs: say with which arguments kernels are timed (schedules/tuner/tunable.h).
      generators: the halide_generators() targets of the kernels.
      kernels: the libraries <name>_kernels that halide_kernels() makes of them.
      table: the .bzl file of this package that holds the table.
      visibility: of the program.
      testonly: as usual.
    """
    _kernel_list(
        name = name + "_kernels",
        out = name + "_kernels.tsv",
        kernels = kernels,
        testonly = testonly,
        visibility = visibility,
    )
    cc_binary(
        name = name,
        srcs = srcs,
        copts = ["-std=c++20", "-Wall", "-Wextra"],
        args = [
            "--kernels=$(rootpath :%s_kernels.tsv)" % name,
            "--plugins=$(rootpath @halide//:adams2019)",
            "--table=" + "/".join([part for part in [native.package_name(), table] if part]),
        ],
        data = [":%s_kernels.tsv" % name, "@halide//:adams2019"],
        deps = [g + "_library" for g in generators] + [
            Label("//schedules/tuner:main"),
            Label("//schedules/tuner:tunable"),
        ],
        testonly = testonly,
        visibility = visibility,
    )

def _tuning(kernel, dtype, backend, tunings):
    """The entries of the table that concern a kernel, as generator parameter."""
    if dtype != "f32" or backend != "cpu":
        return ""
    return ";".join(["%s/%s" % (t[0], t[2]) for t in tunings if t[1] == kernel])

def _kernel_library(name, op, generators, kernels, dtypes, backends, sets, tunings, deps, visibility, testonly):
    parts = []
    for kernel, description in kernels.items():
        params = dict(description)
        generator = params.pop("generator", kernel)
        for dtype in dtypes:
            for backend in backends:
                # GPU kernels are float32 (or integer), see docs/design.md.
                if backend != "cpu" and dtype == "f64":
                    continue
                part = "%s.%s_%s_%s" % (name, kernel, dtype, backend)
                _halide_kernel(
                    name = part,
                    generators = generators,
                    generator = generator,
                    kernel = kernel,
                    op = op,
                    tuning = _tuning(kernel, dtype, backend, tunings),
                    dtype = dtype,
                    backend = backend,
                    sets = sets,
                    params = params,
                    deps = deps + [Label("//core:kernel_table")],
                    testonly = testonly,
                    visibility = ["//visibility:private"],
                )
                parts.append(part)
    cc_library(name = name, deps = parts, testonly = testonly, visibility = visibility)

def halide_kernel_for_tests(name, generators, generator, dtype, instruction_set, params = {}, tunings = []):
    """One kernel for one CPU instruction set, without a dispatcher; its C name is `name`."""
    _halide_kernel(
        name = name,
        testonly = True,
        generators = generators,
        generator = generator,
        kernel = name,
        function = name,
        dtype = dtype,
        backend = "cpu",
        sets = [instruction_set],
        params = params,
        tuning = _tuning(name, dtype, "cpu", tunings),
        deps = [Label("//core:kernel_table")],
    )

def unless_inference_only(deps):
    """Kernels that only Backward calls: none with --//core:inference_only=yes."""
    return select({
        str(Label("//core:is_inference_only")): [],
        "//conditions:default": deps,
    })

def halide_kernels(
        name,
        generators,
        kernels,
        gradients = {},
        dtypes = ["f32", "f64"],
        sets = [],
        tunings = [],
        deps = [],
        gpu = True,
        visibility = ["//visibility:public"]):
    """Compiles kernels; see the head of this file.

    Args:
      name: the libraries are <name>_kernels and, for tests, <name>_kernels_opencl.
      generators: a halide_generators() target.
      kernels: kernel name -> generator parameters; "generator" names the generator if it is not
        called as the kernel is.
      gradients: the same for kernels that only Backward calls.
      dtypes: element types, f32 (CPU and GPU), f64 (CPU), i32 (CPU and GPU).
      sets: CPU instruction sets, a part of INSTRUCTION_SETS, best first; by default those that
        suit the dtype.
      tunings: a table of tunings that the tuner wrote (docs/tuning.md), beside Halite's own.
      deps: cc_library targets with the functions that extern stages of the CPU kernels call.
      gpu: False for kernels that only a CPU has: a function asks for them by Lowering::Offers and
        has others for a GPU.
      visibility: of the libraries.
    """
    libraries = []
    for suffix, backends, testonly in [
        ("", ["cpu"], False),
        ("_cuda", ["cuda"] if gpu else [], False),
        ("_opencl", ["opencl"] if gpu else [], True),
    ]:
        for part, list_of_kernels in [("forward", kernels), ("gradient", gradients)]:
            _kernel_library(
                name = "%s_%s_kernels%s" % (name, part, suffix),
                op = name,
                generators = generators,
                kernels = list_of_kernels,
                dtypes = dtypes,
                backends = backends,
                sets = sets,
                tunings = TUNINGS + tunings,
                deps = deps,
                testonly = testonly,
                visibility = ["//visibility:private"],
            )
    cc_library(
        name = name + "_kernels",
        deps = [name + "_forward_kernels"] +
               unless_inference_only([name + "_gradient_kernels"]) + select({
            str(Label("//core:is_without_cuda")): [],
            "//conditions:default": [name + "_cuda_kernels"],
        }),
        visibility = visibility,
    )
    cc_library(
        name = name + "_cuda_kernels",
        deps = [name + "_forward_kernels_cuda"] +
               unless_inference_only([name + "_gradient_kernels_cuda"]),
        visibility = ["//visibility:private"],
    )
    cc_library(
        name = name + "_kernels_opencl",
        testonly = True,
        deps = [name + "_forward_kernels_opencl", name + "_gradient_kernels_opencl"],
        visibility = visibility,
    )
