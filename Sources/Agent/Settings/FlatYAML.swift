// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLibYAML
import SSHWire

/// A YAML file of one mapping: names with a text or a list of texts each, and nothing below that.
///
/// libyaml reads it, event by event. Anchors, aliases, tags, nested mappings and further documents are refused: nothing of
/// ours needs them, and each is a way to say one thing and mean another.
public struct FlatYAML: Sendable {
    /// A member's value.
    public enum Value: Sendable, Hashable {
        case text(String)
        case list([String])
    }

    /// A member, and the line that its name stands in, the first being 1.
    public struct Member: Sendable, Hashable {
        public let name: String
        public let value: Value
        public let line: Int
    }

    public let members: [Member]

    /// The longest file, in bytes; a real one has a few hundred.
    public static let maximumBytes = 64 << 10
    /// The most members, and the most elements of a list.
    static let maximumElements = 256

    /// Parses a whole file.
    ///
    /// - Throws: `.invalidRequest` with the line.
    public init(parsing bytes: [UInt8]) throws(AgentError) {
        guard bytes.count <= Self.maximumBytes else {
            throw AgentError(.invalidRequest, "over \(Self.maximumBytes) bytes")
        }
        let reader = try EventReader(bytes)
        members = try reader.readDocument()
    }
}

/// libyaml's parser, one event at a time.
@safe private final class EventReader {
    private var parser = unsafe yaml_parser_t()
    private var event = unsafe yaml_event_t()
    private let bytes: [UInt8]
    private var holdsEvent = false

    init(_ bytes: [UInt8]) throws(AgentError) {
        self.bytes = bytes
        guard unsafe yaml_parser_initialize(&parser) == 1 else {
            throw AgentError(.invalidRequest, "no memory")
        }
    }

    deinit {
        if holdsEvent { unsafe yaml_event_delete(&event) }
        unsafe yaml_parser_delete(&parser)
    }

    func readDocument() throws(AgentError) -> [FlatYAML.Member] {
        // libyaml keeps the pointer until the last event.
        let count = bytes.count
        var result: Swift.Result<[FlatYAML.Member], AgentError> = .success([])
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe yaml_parser_set_input_string(&parser, buffer.baseAddress, count)
            result = Result { () throws(AgentError) in try readMembers() }
        }
        return try result.get()
    }

    private func readMembers() throws(AgentError) -> [FlatYAML.Member] {
        try next()
        try next()
        // An empty file says nothing, and is no mistake.
        if kind == YAML_STREAM_END_EVENT { return [] }
        try next()
        if kind == YAML_SCALAR_EVENT, try text().isEmpty { return try finish([]) }
        guard kind == YAML_MAPPING_START_EVENT else { throw wrong("a mapping of names to values expected") }
        var members: [FlatYAML.Member] = []
        while true {
            try next()
            if kind == YAML_MAPPING_END_EVENT { return try finish(members) }
            let (name, line) = (try text(), line)
            guard !members.contains(where: { $0.name.lowercased() == name.lowercased() }) else {
                throw wrong("\(name.escapedForTerminal) is there twice")
            }
            guard members.count < FlatYAML.maximumElements else {
                throw wrong("over \(FlatYAML.maximumElements) members")
            }
            try next()
            if kind == YAML_SEQUENCE_START_EVENT {
                members.append(.init(name: name, value: .list(try readList()), line: line))
            } else {
                members.append(.init(name: name, value: .text(try text()), line: line))
            }
        }
    }

    private func readList() throws(AgentError) -> [String] {
        var elements: [String] = []
        while true {
            try next()
            if kind == YAML_SEQUENCE_END_EVENT { return elements }
            guard elements.count < FlatYAML.maximumElements else {
                throw wrong("a list of over \(FlatYAML.maximumElements) elements")
            }
            elements.append(try text())
        }
    }

    private func finish(_ members: [FlatYAML.Member]) throws(AgentError) -> [FlatYAML.Member] {
        try next()
        try next()
        guard kind == YAML_STREAM_END_EVENT else { throw wrong("a second document") }
        return members
    }

    private func next() throws(AgentError) {
        if holdsEvent { unsafe yaml_event_delete(&event) }
        holdsEvent = false
        guard unsafe yaml_parser_parse(&parser, &event) == 1 else {
            let problem = unsafe parser.problem.map { unsafe String(cString: $0) } ?? "not YAML"
            throw AgentError(
                .invalidRequest, "line \(unsafe parser.problem_mark.line + 1): \(problem.escapedForTerminal)")
        }
        holdsEvent = true
        guard unsafe daypass_yaml_has_properties(&event) == 0 else {
            throw wrong("anchors, aliases and tags are not taken")
        }
    }

    private var kind: yaml_event_type_t { unsafe event.type }
    private var line: Int { Int(clamping: unsafe event.start_mark.line) + 1 }

    /// The scalar's text; "~" and "null" without quotes are empty.
    private func text() throws(AgentError) -> String {
        guard kind == YAML_SCALAR_EVENT else { throw wrong("a text expected") }
        var length = 0
        guard let start = unsafe daypass_yaml_text(&event, &length) else { return "" }
        let content = unsafe UnsafeBufferPointer(start: start, count: length)
        guard let text = unsafe String(validating: content, as: UTF8.self), !text.utf8.contains(0) else {
            throw wrong("a text that is not UTF-8")
        }
        if unsafe daypass_yaml_is_quoted(&event) == 0, ["~", "null", "Null", "NULL"].contains(text) {
            return ""
        }
        return text
    }

    private func wrong(_ what: String) -> AgentError { AgentError(.invalidRequest, "line \(line): \(what)") }
}
