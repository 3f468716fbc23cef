// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
public import FuzzTargets
public import Testing

/// Runs what the fuzzer knows, without the fuzzer: seeds from real tools, inputs that reach something new, and every
/// input that once broke a parser.
@Suite struct CorpusReplayTests {
    static let fuzzing = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fuzzing", directoryHint: .isDirectory)

    /// The files of one target in `Corpus` or `Crashes`; none when it has no folder there.
    static func files(of target: FuzzTarget, in folder: String) throws -> [URL] {
        let path = fuzzing.appending(path: folder).appending(path: target.name)
        guard FileManager.default.fileExists(atPath: path.path()) else { return [] }
        return try FileManager.default.contentsOfDirectory(at: path, includingPropertiesForKeys: nil)
    }

    @Test(arguments: FuzzTarget.all)
    func everythingHoldsForTheCorpus(_ target: FuzzTarget) throws {
        var accepted = 0
        for file in try Self.files(of: target, in: "Corpus") {
            do {
                if try target.run([UInt8](try Data(contentsOf: file))) == .accepted { accepted += 1 }
            } catch {
                Issue.record("\(file.lastPathComponent): \(error)")
            }
        }
        // A corpus of which nothing is read says nothing about what happens after reading.
        #expect(accepted > 0)
    }

    @Test(arguments: FuzzTarget.all)
    func whatOnceBrokeAParserIsRead(_ target: FuzzTarget) throws {
        for file in try Self.files(of: target, in: "Crashes") {
            #expect(throws: Never.self, "\(file.lastPathComponent)") {
                try target.run([UInt8](try Data(contentsOf: file)))
            }
        }
    }

    @Test func everyFolderOfTheCorpusHasATarget() throws {
        let names = Set(FuzzTarget.all.map(\.name))
        #expect(names.count == FuzzTarget.all.count)
        for folder in ["Corpus", "Crashes"] {
            let path = Self.fuzzing.appending(path: folder).path()
            guard FileManager.default.fileExists(atPath: path) else { continue }
            let found = Set(try FileManager.default.contentsOfDirectory(atPath: path)).subtracting([
                "README.md"
            ])
            #expect(found.subtracting(names) == [])
        }
    }
}

extension FuzzTarget: CustomTestStringConvertible {
    public var testDescription: String { name }
}
