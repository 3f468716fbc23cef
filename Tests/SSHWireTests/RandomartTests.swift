// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

@Suite struct RandomartTests {
    @Test(arguments: TextVectors.types)
    func itIsThePictureThatSSHKeygenShows(type: [String]) throws {
        try withTemporaryFolder { folder in
            for number in 0..<(type == ["ed25519"] ? 20 : 3) {
                let line = try TextVectors.makeKey("key\(number)", in: folder, type: type)
                let shown = try TextVectors.keygen(
                    ["-lvf", folder.path("key\(number).pub")], "ssh-keygen -lv")
                let key = try PublicKeyLine(line).content.plainKey("key")
                #expect(shown.stdoutText.hasSuffix("\n\(key.randomart)\n"))
            }
        }
    }

    @Test func hardwareKeysHaveTheirTitle() throws {
        for key in try TextVectors.hardwareKeys() {
            try withTemporaryFolder { folder in
                let path = try folder.write(key.text + "\n", to: "sk.pub")
                let shown = try TextVectors.keygen(["-lvf", path], "ssh-keygen -lv").stdoutText
                #expect(shown.hasSuffix("\n\(key.randomart)\n"))
            }
        }
    }
}
