import ClusterModel
import Testing

@testable import Controller

@Suite("The controller's seat")
struct ControllerSeatTests {
    /// One that has read a free seat and epoch 6.
    private func claiming() -> ControllerSeat {
        var seat = ControllerSeat(me: 1)
        _ = seat.sessionBegan()
        _ = seat.seatRead(holder: nil, mine: false)
        _ = seat.epochRead(.init(epoch: 6, version: 9))
        return seat
    }
    @Test("is claimed when it is free, with the next epoch") func claims() {
        var seat = ControllerSeat(me: 1)
        #expect(seat.sessionBegan() == [.readSeat])
        #expect(seat.seatRead(holder: nil, mine: false) == [.readEpoch])
        #expect(seat.epochRead(.init(epoch: 6, version: 9)) == [.claim(7, expecting: 9)])
        #expect(seat.claimed(.won(version: 10)) == [.takeOffice(7, epochVersion: 10), .readSeat])
        #expect(seat.seatRead(holder: 1, mine: true) == [])
        #expect(seat.epoch == 7)
    }
    @Test("is left to whoever holds it, and fought for when they go") func follows() {
        var seat = ControllerSeat(me: 1)
        _ = seat.sessionBegan()
        #expect(seat.seatRead(holder: 2, mine: false) == [.follow(2)])
        #expect(seat.seatChanged() == [.readSeat])
        #expect(seat.seatRead(holder: nil, mine: false) == [.readEpoch])
        #expect(seat.epochRead(.init(epoch: 1, version: 1)) == [.claim(2, expecting: 1)])
        #expect(seat.claimed(.lost) == [.readSeat])
        #expect(seat.seatRead(holder: 3, mine: false) == [.follow(3)])
    }
    @Test("is recognised as ours when only the answer was lost") func lostAnswer() {
        var seat = claiming()
        #expect(seat.claimed(.unknown) == [.readSeat])
        #expect(seat.seatRead(holder: 1, mine: true) == [.readEpoch])
        #expect(seat.epochRead(.init(epoch: 7, version: 10)) == [.takeOffice(7, epochVersion: 10)])
    }
    @Test("is not mistaken for ours when it belongs to an older session of ours") func olderSession() {
        var seat = ControllerSeat(me: 1)
        _ = seat.sessionBegan()
        #expect(seat.seatRead(holder: 1, mine: false) == [.follow(1)])
    }
    @Test("is given up when a write is fenced or the session ends") func resigns() {
        var seat = claiming()
        _ = seat.claimed(.won(version: 10))
        #expect(seat.fenced() == [.leaveOffice, .follow(nil), .readSeat])
        #expect(seat.seatRead(holder: 2, mine: false) == [.follow(2)])
        #expect(seat.sessionEnded() == [])
        #expect(seat.epoch == nil)
    }
}
