// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Where a file's last content waits until the change is in force: going back is then a rename, for which a full disk
/// has room.
func formerName(_ path: String) -> String {
    let staged = stagedName(path)
    return (staged.hasSuffix("-new") ? String(staged.dropLast(4)) : staged) + "-old"
}

extension ChangeApplier {
    /// Makes ready what a step needs, beside its place. Folders are made at once: nothing is in them.
    func stage(_ step: ChangeJournal.Step) throws(AgentError) {
        switch step.change {
        case .folder(let path, nil, let after?): try files.makeFolder(path, after)
        case .folder: return
        case .file(let path, let before, let after):
            if let before {
                try files.remove(formerName(path))
                try files.create(formerName(path), before)
            }
            if let after {
                try files.remove(stagedName(path))
                try files.create(stagedName(path), after)
            }
        }
    }

    /// Makes one change, if what it was planned for is still there.
    func swap(_ step: ChangeJournal.Step) throws(AgentError) {
        switch step.change {
        // It was made when it was staged.
        case .folder(_, nil, _): return
        case .folder(_, _, nil): return
        case .folder(let path, let before, let after?):
            guard matches(try files.folder(path), before) else { throw busy(path) }
            try files.changeFolder(path, after)
        case .file(let path, let before, let after):
            guard matches(try read(path), before) else { throw busy(path) }
            if after != nil {
                try files.rename(stagedName(path), to: path)
            } else {
                try files.remove(path)
            }
        }
    }

    /// Puts a known content back; nil removes the file.
    func put(_ path: String, _ content: FileContent?) throws(AgentError) {
        guard let content else { return try files.remove(path) }
        if matches(try? read(formerName(path)), content) {
            try files.rename(formerName(path), to: path)
        } else {
            try files.replace(path, content)
        }
    }

    /// Takes away what may be left beside the changed files.
    func removeStaged(_ journal: ChangeJournal) throws(AgentError) {
        for step in journal.steps {
            guard case .file(let path, _, _) = step.change else { continue }
            try files.remove(stagedName(path))
            try files.remove(formerName(path))
        }
        for temporary in journal.temporaries { try files.remove(stagedName(temporary.path)) }
    }

    /// Takes away what else is ours alone, and the journal last of all.
    func removeJournal(_ journal: ChangeJournal) throws(AgentError) {
        try LoginProof.removeFolder(journal.proofFolder, files)
        try removeStagedConfiguration()
        try files.remove(stagedName(layout.journal))
        try files.remove(layout.journal)
    }
}
