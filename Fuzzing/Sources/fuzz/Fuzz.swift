// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import FuzzTargets

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The target that the environment names. One binary serves all: a fuzzer that is built for each would compile and
/// link the same libraries twenty times, and coverage of what a target doesn't call stays zero and costs nothing.
private let target: FuzzTarget = {
    let name = unsafe getenv("DAYPASS_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        let reason =
            "error: DAYPASS_FUZZ_TARGET is \"\(name)\"\nhint: DAYPASS_FUZZ_LIST=1 lists the targets\n"
        _ = unsafe write(STDERR_FILENO, reason, reason.utf8.count)
        exit(64)
    }
    return target
}()

/// Called by libFuzzer once, before anything else.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutableRawPointer
) -> CInt {
    if unsafe getenv("DAYPASS_FUZZ_LIST") != nil {
        for target in FuzzTarget.all { print(target.name, target.maximumBytes) }
        exit(0)
    }
    _ = target
    return 0
}

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    do {
        _ = try target.run(unsafe Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        fatalError("\(target.name): \(error)")
    }
    return 0
}
