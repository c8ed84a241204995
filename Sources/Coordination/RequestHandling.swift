import Bytes
import CoordinationProtocol

extension CoordinationCore {
    package struct Outcome {
        /// To be appended. Its slices are valid until the core is called again, and as long as the request's bytes.
        package var change: TreeChange?
        package var ending = Ending.none
        package var op: OpCode?
        package enum Ending {
            case none
            /// The connection ends when the reply has left.
            case afterReply
        }
    }

    /// Does one request and writes its reply, a whole packet, into `reply`.
    /// - Parameter durable: what auth and ping say, as they may overtake the log.
    package mutating func handle(
        _ packet: UnsafeRawBufferPointer, from client: ClientID, now: Int64, wallMs: Int64, durable: Int64,
        reply: inout JuteWriter
    ) -> Outcome {
        begin()
        var outcome = Outcome()
        var reader = JuteReader(packet)
        let xid: Int32, type: Int32
        do throws(JuteError) {
            xid = try reader.int32()
            type = try reader.int32()
        } catch {
            outcome.ending = .afterReply
            return outcome
        }
        heard(of: client, now: now)
        guard let op = OpCode(rawValue: type) else {
            reply.reply(xid: xid, zxid: -1, error: .unimplemented)
            outcome.ending = .afterReply
            return outcome
        }
        outcome.op = op
        do throws(JuteError) {
            switch op {
            case .ping: reply.reply(xid: SpecialXid.ping, zxid: durable)
            case .exists, .getData, .getACL, .getChildren, .getChildren2, .getAllChildrenNumber, .sync, .getEphemerals,
                .whoAmI, .check:
                try read(op, &reader, xid, client, &reply)
            case .multiRead: try multiRead(&reader, xid, client, &reply)
            case .create, .create2, .createContainer, .createTTL, .delete, .setData, .setACL:
                outcome.change = try write(op, &reader, xid, client, wallMs, &reply)
            case .multi: outcome.change = try multi(&reader, xid, client, wallMs, &reply)
            case .closeSession:
                let session = session(of: client)
                outcome.change = close(session, cxid: xid, wallMs)
                clients[client.raw].asker.session = 0
                reply.reply(xid: xid, zxid: tree.lastZxid)
                outcome.ending = .afterReply
            case .auth:
                let packet = try AuthPacket.read(from: &reader)
                let accepted = clients[client.raw].asker.identities.add(
                    scheme: packet.scheme, credentials: packet.auth, superDigest: rules.superDigest)
                reply.reply(xid: xid, zxid: 0, error: accepted ? .ok : .authFailed)
                if !accepted { outcome.ending = .afterReply }
            case .setWatches, .setWatches2: try setWatches(op, &reader, xid, client, &reply)
            case .addWatch, .checkWatches, .removeWatches: try watch(op, &reader, xid, client, &reply)
            case .reconfig:
                _ = try ReconfigRequest.read(from: &reader)
                // As a standalone server: there is nobody to be reconfigured.
                let why = rules.reconfigEnabled ? CoordinationError.unimplemented : .reconfigDisabled
                outcome.change = fail(why, xid, client, wallMs, &reply)
            case .sasl:
                _ = try reader.slice()
                // No mechanism is set up: the token of nothing, upon which clients give up with a clear error of theirs.
                let frame = reply.beginFrame()
                ReplyHeader(xid: xid, zxid: 0).write(to: &reply)
                reply.slice(nil)
                reply.endFrame(frame)
            case .notification, .deleteContainer, .createSession, .error:
                reply.reply(xid: xid, zxid: -1, error: .unimplemented)
                outcome.ending = .afterReply
            }
        } catch {
            reply.bytes.clear()
            reply.reply(xid: xid, zxid: tree.lastZxid, error: .marshallingError)
        }
        return outcome
    }

    // MARK: Writes

    private mutating func write(
        _ op: OpCode, _ reader: inout JuteReader, _ xid: Int32, _ client: ClientID, _ wallMs: Int64,
        _ reply: inout JuteWriter
    ) throws(JuteError) -> TreeChange {
        var overlay = Overlay(isUsed: false)
        let plan: Result<TransactionRecord, CoordinationError>
        do throws(PlanProblem) {
            plan = .success(try planned(op, &reader, client, &overlay))
        } catch {
            switch error {
            case .unreadable(let problem): throw problem
            case .refused(let why): plan = .failure(why)
            }
        }
        switch plan {
        case .failure(let why): return fail(why, xid, client, wallMs, &reply)
        case .success(let record):
            let change = commit(TreeChange(header(op, session(of: client), cxid: xid, wallMs), record))
            let frame = beginReply(xid, &reply)
            writeResult(op, record, into: &reply)
            reply.endFrame(frame)
            return change
        }
    }

    /// A failed write uses up its zxid, and the log says why.
    private mutating func fail(
        _ why: CoordinationError, _ xid: Int32, _ client: ClientID, _ wallMs: Int64, _ reply: inout JuteWriter
    ) -> TreeChange {
        let change = TreeChange(header(.error, session(of: client), cxid: xid, wallMs), .error(why))
        tree.apply(change)
        reply.reply(xid: xid, zxid: tree.lastZxid, error: why)
        return change
    }

    enum PlanProblem: Error {
        case unreadable(JuteError)
        case refused(CoordinationError)
    }

    /// Reads one writing request and decides what it will have done.
    private func planned(_ op: OpCode, _ reader: inout JuteReader, _ client: ClientID, _ overlay: inout Overlay)
        throws(PlanProblem) -> TransactionRecord
    {
        let asked: Asked
        do throws(JuteError) { asked = try Asked(op, &reader) } catch { throw .unreadable(error) }
        do throws(CoordinationError) { return try plan(asked, op, client, &overlay) } catch { throw .refused(error) }
    }

    private enum Asked {
        case create(CreateAsked)
        case delete(PathBytes, Int32)
        case setData(PathBytes, UnsafeRawBufferPointer?, Int32)
        case setACL(PathBytes, UnsafeRawBufferPointer, Int32)
        case check(PathBytes, Int32)

        @inline(__always)
        init(_ op: OpCode, _ reader: inout JuteReader) throws(JuteError) {
            switch op {
            case .create, .create2, .createContainer, .createTTL: self = .create(try CreateAsked(op, from: &reader))
            case .setData:
                let path = try reader.text(), data = try reader.slice()
                self = .setData(path, data, try reader.int32())
            case .setACL:
                let path = try reader.text(), acl = try reader.aclSlice()
                self = .setACL(path, acl, try reader.int32())
            case .delete:
                let path = try reader.text()
                self = .delete(path, try reader.int32())
            case .check:
                let path = try reader.text()
                self = .check(path, try reader.int32())
            default: throw .badLength(Int(op.rawValue))
            }
        }
    }

    @inline(__always)
    private func plan(_ asked: Asked, _ op: OpCode, _ client: ClientID, _ overlay: inout Overlay)
        throws(CoordinationError) -> TransactionRecord
    {
        let asker = clients[client.raw].asker
        switch asked {
        case .create(let create): return try tree.planCreate(op, create, by: asker, rules, &overlay)
        case .delete(let path, let version):
            return try tree.planDelete(path, version: version, by: asker, rules, &overlay)
        case .setData(let path, let data, let version):
            return try tree.planSetData(path, data, version: version, by: asker, rules, &overlay)
        case .setACL(let path, let acl, let version):
            return try tree.planSetACL(path, acl, version: version, by: asker, rules, &overlay)
        case .check(let path, let version):
            return try tree.planCheck(path, version: version, by: asker, rules, &overlay)
        }
    }

    // MARK: Multi

    private mutating func multi(
        _ reader: inout JuteReader, _ xid: Int32, _ client: ClientID, _ wallMs: Int64, _ reply: inout JuteWriter
    ) throws(JuteError) -> TreeChange? {
        var overlay = Overlay(isUsed: true)
        var parts: [TransactionPart] = []
        var count = 0
        var failure: (at: Int, why: CoordinationError)?
        while true {
            let kind = OpCode(rawValue: try reader.int32())
            let done = try reader.bool()
            _ = try reader.int32()
            if done { break }
            guard var op = kind, op != .setACL else { throw .badLength(count) }
            // Behind a failure the rest is only read.
            let asked = try Asked(op, &reader)
            if case .create(let create) = asked, op != .createTTL {
                guard (0...4).contains(create.flags) else { throw .badLength(Int(create.flags)) }
                // Within a multi the flags alone say what is made.
                if create.flags == CreateMode.container.rawValue { op = .createContainer }
            }
            if failure == nil {
                do throws(CoordinationError) {
                    parts.append(TransactionPart(op: op, record: try plan(asked, op, client, &overlay)))
                } catch { failure = (count, error) }
            }
            count += 1
        }
        if let failure {
            var record: [TransactionPart] = []
            for index in 0..<count {
                record.append(
                    TransactionPart(
                        op: .error,
                        record: .error(
                            index < failure.at ? .ok : index == failure.at ? failure.why : .runtimeInconsistency)))
            }
            let change = TreeChange(header(.multi, session(of: client), cxid: xid, wallMs), .multi(record))
            tree.apply(change)
            let frame = beginReply(xid, &reply)
            for part in record {
                guard case .error(let why) = part.record else { continue }
                MultiHeader(type: OpCode.error.rawValue, error: why.rawValue).write(to: &reply)
                reply.int32(why.rawValue)
            }
            MultiHeader.end.write(to: &reply)
            reply.endFrame(frame)
            return change
        }
        // Part by part, so that each result shows the node as its own operation left it.
        let change = TreeChange(header(.multi, session(of: client), cxid: xid, wallMs), .multi(parts))
        let watched = !watches.isEmpty
        tree.lastZxid = change.header.zxid
        let frame = beginReply(xid, &reply)
        for part in parts {
            _ = tree.apply(part.record, change.header, noting: watched)
            let shown: OpCode = part.op == .createContainer || part.op == .createTTL ? .create2 : part.op
            MultiHeader(type: shown.rawValue, error: 0).write(to: &reply)
            writeResult(part.op, part.record, into: &reply)
        }
        MultiHeader.end.write(to: &reply)
        reply.endFrame(frame)
        if watched { deliver() }
        if !tree.excesses.isEmpty { warn(at: wallMs) }
        return change
    }

    private func writeResult(_ op: OpCode, _ record: TransactionRecord, into reply: inout JuteWriter) {
        switch record {
        case .create(let txn), .createContainer(let txn), .createTTL(let txn):
            reply.slice(txn.path)
            if op != .create { writeStat(txn.path, &reply) }
        case .setData(let path, _, _), .setACL(let path, _, _): writeStat(path, &reply)
        case .delete, .check, .multi, .createSession, .closeSession, .error: break
        }
    }

    private func writeStat(_ path: PathBytes, _ reply: inout JuteWriter) {
        reply.stat(tree.stat(path) ?? Stat())
    }

    func beginReply(_ xid: Int32, _ reply: inout JuteWriter) -> Int {
        let frame = reply.bytes.count
        let room = reply.room(20)
        room.storeBytes(of: xid.bigEndian, toByteOffset: 4, as: Int32.self)
        room.storeBytes(of: tree.lastZxid.bigEndian, toByteOffset: 8, as: Int64.self)
        return frame
    }
}

extension JuteWriter {
    /// Zeros to be written over: the fields of a reply are put into their places without a call for each.
    @inline(__always)
    fileprivate mutating func room(_ count: Int) -> UnsafeMutableRawPointer {
        let position = bytes.count
        bytes.zeros(count)
        return bytes.base + position
    }

    @inline(__always)
    mutating func stat(_ stat: Stat) {
        let room = room(Stat.sizeBytes)
        room.storeBytes(of: stat.czxid.bigEndian, toByteOffset: 0, as: Int64.self)
        room.storeBytes(of: stat.mzxid.bigEndian, toByteOffset: 8, as: Int64.self)
        room.storeBytes(of: stat.ctime.bigEndian, toByteOffset: 16, as: Int64.self)
        room.storeBytes(of: stat.mtime.bigEndian, toByteOffset: 24, as: Int64.self)
        room.storeBytes(of: stat.version.bigEndian, toByteOffset: 32, as: Int32.self)
        room.storeBytes(of: stat.cversion.bigEndian, toByteOffset: 36, as: Int32.self)
        room.storeBytes(of: stat.aversion.bigEndian, toByteOffset: 40, as: Int32.self)
        room.storeBytes(of: stat.ephemeralOwner.bigEndian, toByteOffset: 44, as: Int64.self)
        room.storeBytes(of: stat.dataLength.bigEndian, toByteOffset: 52, as: Int32.self)
        room.storeBytes(of: stat.numChildren.bigEndian, toByteOffset: 56, as: Int32.self)
        room.storeBytes(of: stat.pzxid.bigEndian, toByteOffset: 60, as: Int64.self)
    }
}
