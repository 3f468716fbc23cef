// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import TestSupport

/// A configuration of sshd in a folder of its own, with a host key.
struct ConfigurationFolder {
    let folder: TemporaryFolder
    let sshd: Sshd
    let main: String

    /// - Parameter others: files by their names below the folder; DIR in a text is the folder.
    init(main text: String, _ others: [String: String] = [:], layout: Bool = false) throws {
        folder = try TemporaryFolder()
        try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", folder.path("host_key")]).orThrow(
            "key")
        for (name, content) in others {
            if let slash = name.firstIndex(of: "/"), !folder.contains(String(name[..<slash])) {
                try folder.makeFolder(String(name[..<slash]), mode: 0o755)
            }
            try folder.write(content.replacing("DIR", with: folder.path), to: name, mode: 0o644)
        }
        // A host key is all that sshd misses.
        main = try folder.write(
            "HostKey \(folder.path)/host_key\n" + text.replacing("DIR", with: folder.path), to: "sshd_config",
            mode: 0o644)
        sshd = Sshd(binary: try Tool.find("sshd"), configuration: main)
        if layout { for name in ["state", "run"] { try folder.makeFolder(name) } }
    }

    func path(_ name: String) -> String { folder.path(name) }

    /// Our files in the same folder.
    var layout: HostLayout {
        HostLayout(configuration: path("daypass"), state: path("state"), runtime: path("run"))
    }
}
