// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire
import TransparencyLog

struct LogExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the log as a folder of tiles (C2SP tlog-tiles) that others can mirror and verify.",
        discussion: "Given again, it adds what is new. Serve the folder as static files.")

    @OptionGroup var home: HomeOptions

    @Argument(help: ArgumentHelp("The folder.", valueName: "DIR"))
    var folder: String

    func run() throws {
        let home = try CAHome(home)
        let ledger = try home.ledger()
        let key = try home.logVerifier()
        let note = try ledger.checkpoint()
        let head = try VerifiedCheckpoint(note, origin: try ledger.origin, logKeys: [key]).head
        try FileIO.makeFolder(folder, mode: 0o755)
        let earlier =
            FileIO.exists(folder + "/checkpoint")
            ? try CheckpointFile.read(folder + "/checkpoint", key).head : nil
        if let earlier {
            guard earlier.size <= head.size, try ledger.root(size: earlier.size) == earlier.root else {
                throw CertAuthorityError(
                    .logInconsistent,
                    "\(folder.escapedForTerminal) holds another log, or a longer one than this CA's",
                    hint:
                        "verify both: daypass log verify, daypass log verify --tiles \(folder.escapedForTerminal)"
                )
            }
        }
        var progress = Progress("exporting", total: head.size)
        var written = 0
        for tile in try TileLayout(size: head.size).tiles(changedSince: earlier?.size ?? 0) {
            let bytes = try ledger.contents(of: tile)
            if case .entries = tile.kind { progress.update(tile.firstPosition) }
            try FileIO.write(bytes.span, creatingFoldersIn: folder, at: tile.path)
            written += 1
        }
        progress.finish()
        // Last: a checkpoint promises that its tiles are there.
        let checkpoint = note.bytes
        try FileIO.write(checkpoint.span, to: folder + "/checkpoint", mode: 0o644)
        Terminal.say("\(folder.escapedForTerminal): \(head.size) entries, \(written) tiles written")
    }
}
