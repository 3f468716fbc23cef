// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a new process starts with.
struct Spawn {
    /// An absolute path; no search path is consulted.
    var path: String
    /// The arguments after the program's own name.
    var arguments: [String]
    /// The whole environment.
    var environment: [String: String]
    /// The folder that it starts in; `nil` is the current one.
    var folder: String?

    /// Held while a process starts, and by whoever has an open descriptor that isn't marked close-on-exec yet.
    static let gate = Mutex(())

    /// Starts the program in a session of its own, with the three standard descriptors and no others.
    ///
    /// A session of its own has no terminal, so a program that wants to ask something fails at once instead of
    /// waiting for somebody, and its process group has the number of its first process. Signals start unblocked
    /// and with their default action.
    func start(stdin: Int32, stdout: Int32, stderr: Int32) throws -> pid_t {
        for text in [path] + arguments + [folder ?? ""] + environment.flatMap({ [$0.key, $0.value] })
        where text.utf8.contains(0) {
            throw TestSupportError("\(path): an argument holds NUL, which no process can be given")
        }
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = unsafe posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }

        for (from, to) in [(stdin, 0), (stdout, 1), (stderr, 2)] as [(Int32, Int32)] {
            unsafe posix_spawn_file_actions_adddup2(&actions, from, to)
        }
        #if canImport(Darwin)
            if let folder { unsafe posix_spawn_file_actions_addchdir_np(&actions, folder) }
            let flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_CLOEXEC_DEFAULT
        #else
            if let folder { try unsafe HiddenActions.changeFolder(&actions, folder) }
            unsafe HiddenActions.closeFrom(&actions, 3)
            let flags = HiddenActions.setSession
        #endif
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(Int32(flags) | Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)))
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)

        let vector = unsafe CStrings([path] + arguments)
        let variables = unsafe CStrings(environment.map { "\($0.key)=\($0.value)" })
        defer {
            unsafe vector.free()
            unsafe variables.free()
        }
        var pid: pid_t = 0
        let failure = Self.gate.withLock { _ in
            unsafe posix_spawn(&pid, path, &actions, &attributes, vector.pointers, variables.pointers)
        }
        guard failure == 0 else { throw TestSupportError.system("start \(path)", code: failure) }
        return pid
    }
}

#if !canImport(Darwin)
    /// What the C libraries have but declare only under `_GNU_SOURCE`, which Swift's modules don't set.
    private enum HiddenActions {
        /// `POSIX_SPAWN_SETSID`, of the same value in glibc and musl.
        static let setSession: Int32 = 0x80

        /// Starts the child in `folder`.
        static func changeFolder(
            _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ folder: String
        ) throws {
            typealias Action =
                @convention(c) (
                    UnsafeMutablePointer<posix_spawn_file_actions_t>, UnsafePointer<CChar>
                ) -> Int32
            guard let symbol = unsafe dlsym(nil, "posix_spawn_file_actions_addchdir_np") else {
                throw TestSupportError("this C library cannot start a program in another folder")
            }
            _ = unsafe unsafeBitCast(symbol, to: Action.self)(actions, folder)
        }

        /// Closes `first` and everything above it in the child. Where the library lacks it (musl, glibc before
        /// 2.34), descriptors that somebody else opened without close-on-exec are inherited.
        static func closeFrom(_ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ first: Int32) {
            typealias Action =
                @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
            guard let symbol = unsafe dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { return }
            _ = unsafe unsafeBitCast(symbol, to: Action.self)(actions, first)
        }
    }
#endif

/// A NULL-terminated vector of C strings, as exec takes it; whoever makes one frees it.
@unsafe private struct CStrings {
    let pointers: [UnsafeMutablePointer<CChar>?]

    init(_ texts: [String]) { unsafe pointers = texts.map { unsafe strdup($0) } + [nil] }

    func free() {
        #if canImport(Darwin)
            for index in unsafe pointers.indices { unsafe Darwin.free(pointers[index]) }
        #elseif canImport(Glibc)
            for index in unsafe pointers.indices { unsafe Glibc.free(pointers[index]) }
        #elseif canImport(Musl)
            for index in unsafe pointers.indices { unsafe Musl.free(pointers[index]) }
        #endif
    }
}
