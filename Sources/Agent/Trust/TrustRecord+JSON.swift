// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension TrustRecord {
    /// Reads the record of a host; nil when there is none.
    ///
    /// - Throws: `.damaged` for one that cannot be read, since nothing may be guessed about originals.
    static func read(_ files: any HostFiles, _ layout: HostLayout) throws(AgentError) -> TrustRecord? {
        guard let content = try files.read(layout.originals, maximumBytes: maximumBytes) else { return nil }
        return try TrustRecord(parsing: content.bytes, name: layout.originals)
    }

    init(parsing bytes: [UInt8], name: String) throws(AgentError) {
        func damaged(_ reason: String) -> AgentError {
            AgentError(
                .damaged, "\(name.escapedForTerminal): \(reason)",
                hint: "it records what was on this host before; restore it from a backup")
        }
        let value: JSONValue
        do throws(ControlProtocolError) {
            value = try JSONValue(parsing: bytes, maximumBytes: Self.maximumBytes)
        } catch {
            throw damaged(error.reason)
        }
        guard value["format"]?.number == 1 else { throw damaged("format 1 expected") }
        guard let fileValues = value["files"]?.array, fileValues.count <= Self.maximumFiles,
            let folderValues = value["folders"]?.array, folderValues.count <= 64,
            let settingValues = value["settings"]?.array, settingValues.count <= 256,
            let version = value["revocationVersion"]?.string.flatMap({ UInt64($0) })
        else { throw damaged("files, folders, settings or revocationVersion are missing") }
        for item in fileValues {
            guard let file = File(item) else { throw damaged("file \(files.count + 1) of it makes no sense") }
            files.append(file)
        }
        for item in folderValues {
            guard let path = item.string else { throw damaged("a folder that is no path") }
            folders.append(path)
        }
        for item in settingValues {
            guard let keyword = item["keyword"]?.string, let value = item["value"]?.string else {
                throw damaged("a setting without keyword and value")
            }
            settings.append(Setting(keyword: keyword, value: value))
        }
        revocationVersion = version
    }

    /// The record as it is stored: JSON, one file a line.
    func encode() throws(AgentError) -> [UInt8] {
        var text = "{\"format\":1,\n\"revocationVersion\":\"\(revocationVersion)\",\n\"folders\":"
        text += JSONValue.array(folders.map { .string($0) }).text
        text += ",\n\"settings\":"
        text +=
            JSONValue.array(
                settings.map {
                    .object([.init("keyword", .string($0.keyword)), .init("value", .string($0.value))])
                }
            ).text
        text += ",\n\"files\":[\n" + files.map(\.json.text).joined(separator: ",\n") + "\n]}\n"
        guard text.utf8.count <= Self.maximumBytes, files.count <= Self.maximumFiles else {
            throw AgentError(
                .invalidRequest,
                "what was on this host before takes over \(Self.maximumBytes) bytes to record")
        }
        return Array(text.utf8)
    }
}

extension TrustRecord.File {
    fileprivate init?(_ value: JSONValue) {
        guard let path = value["path"]?.string, path.hasPrefix("/"),
            let kind = value["kind"]?.string.flatMap({ Kind(rawValue: $0) }),
            let sha256 = value["sha256"]?.string.flatMap(bytes(ofBase64:)),
            let attributes = value["attributes"].flatMap({ FileAttributes($0) }),
            let originalValue = value["original"]
        else { return nil }
        self.path = path
        self.kind = kind
        self.sha256 = sha256
        self.attributes = attributes
        if kind != .whole {
            guard let block = value["block"]?.string else { return nil }
            self.block = block
        }
        if originalValue != .null {
            guard let content = originalValue["content"]?.string.flatMap(bytes(ofBase64:)),
                let attributes = originalValue["attributes"].flatMap({ FileAttributes($0) })
            else { return nil }
            original = FileContent(content, attributes)
        }
    }

    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("path", .string(path)), .init("kind", .string(kind.rawValue)),
            .init("sha256", .string(Base64.encode(sha256))),
        ]
        if let block { members.append(.init("block", .string(block))) }
        members.append(.init("attributes", attributes.recorded))
        let original: JSONValue =
            if let original = self.original {
                .object([
                    .init("attributes", original.attributes.recorded),
                    .init("content", .string(Base64.encode(original.bytes))),
                ])
            } else { .null }
        members.append(.init("original", original))
        return .object(members)
    }
}

extension FileAttributes {
    fileprivate init?(_ value: JSONValue) {
        guard let mode = value["mode"]?.number.flatMap({ UInt32(exactly: $0) }), mode <= 0o7777,
            let owner = value["owner"]?.number.flatMap({ UInt32(exactly: $0) }),
            let group = value["group"]?.number.flatMap({ UInt32(exactly: $0) })
        else { return nil }
        self.init(mode: mode, owner: owner, group: group)
        if let label = value["label"] {
            guard let label = label.string.flatMap(bytes(ofBase64:)) else { return nil }
            securityLabel = label
        }
    }

    fileprivate var recorded: JSONValue {
        var members: [JSONValue.Member] = [
            .init("mode", .number(Int64(mode))), .init("owner", .number(Int64(owner))),
            .init("group", .number(Int64(group))),
        ]
        if let securityLabel { members.append(.init("label", .string(Base64.encode(securityLabel)))) }
        return .object(members)
    }
}

private func bytes(ofBase64 text: String) -> [UInt8]? { try? Base64.decode("content", text) }
