"""Invoices and their messages."""

import pytest


@pytest.fixture
def bill(api):
    def create(client=api, **fields):
        response = client.post("/invoices", json={"client_id": "cli_acme", **fields})
        assert response.status_code == 200, response.text
        return response.json()

    return create


def line(quantity=1, unit_price=0, **fields):
    return {"quantity": quantity, "unit_price": unit_price, **fields}


def test_defaults(bill):
    invoice = bill()
    assert {name: invoice[name] for name in ("number", "state", "issue_date", "due_date", "payment_term")} == {
        "number": "INV-2026-0001",
        "state": "draft",
        "issue_date": "2026-03-05",
        "due_date": "2026-04-04",
        "payment_term": "net_30",
    }
    assert invoice["client"] == {"id": invoice["client_id"], "name": "Acme"}
    assert invoice["creator"] == {
        "id": invoice["created_by_id"],
        "name": "Support Agent",
        "email": "support-agent@agents.keito.example",
    }
    assert (invoice["amount"], invoice["due_amount"], invoice["currency"], invoice["line_items"]) == (0, 0, "USD", [])
    assert invoice["tax"] is invoice["tax_amount"] is invoice["discount_amount"] is invoice["sent_at"] is None


def test_all_fields(bill):
    fields = {
        "subject": "March",
        "issue_date": "2026-03-01",
        "due_date": "2026-03-20",
        "payment_term": "custom",
        "currency": "EUR",
        "purchase_order": "PO-1",
        "notes": "Thanks",
        "period_start": "2026-02-01",
        "period_end": "2026-02-28",
    }
    invoice = bill(**fields)
    assert {name: invoice[name] for name in fields} == fields


def test_line_items(bill):
    invoice = bill(line_items=[{}, {"kind": "Product", "description": "Seat", "project_id": "proj_support"}])
    first, second = invoice["line_items"]
    assert first.pop("id") != second.pop("id")
    assert first == {
        "kind": "Service",
        "description": None,
        "quantity": 1,
        "unit_price": 0,
        "amount": 0,
        "taxed": False,
        "taxed2": False,
        "project_id": None,
    }
    assert (second["kind"], second["description"], second["project_id"]) == ("Product", "Seat", "proj_support")


@pytest.mark.parametrize(
    ("fields", "sums"),
    [
        ({"line_items": [line(312, 0.99)]}, {"amount": 308.88}),
        # 0.1 * 3 and 1.005 are where binary fractions go wrong.
        ({"line_items": [line(3, 0.1), line(1, 1.005)]}, {"amount": 1.31}),
        ({"line_items": [line(10, 10)], "discount": 10}, {"amount": 90, "discount_amount": 10}),
        (
            {"line_items": [line(1, 100, taxed=True), line(1, 50)], "tax": 20},
            {"amount": 170, "tax_amount": 20, "tax2_amount": None},
        ),
        (
            {
                "line_items": [line(1, 100, taxed=True, taxed2=True), line(1, 50, taxed2=True)],
                "discount": 10,
                "tax": 20,
                "tax2": 5,
            },
            {"discount_amount": 15, "tax_amount": 18, "tax2_amount": 6.75, "amount": 159.75},
        ),
        ({"line_items": [line(1, 0.125, taxed=True)], "tax": 50}, {"amount": 0.2, "tax_amount": 0.07}),
        ({"line_items": [line(2, 10), line(-1, 5)]}, {"amount": 15}),
        ({"line_items": [line(10**9, 10**9)], "tax": 0}, {"amount": 10**18, "tax_amount": 0}),
    ],
)
def test_sums(bill, fields, sums):
    invoice = bill(**fields)
    assert {name: invoice[name] for name in sums} == sums
    assert invoice["due_amount"] == invoice["amount"]


class TestNumbers:
    def test_count_up_per_year(self, bill):
        assert [bill()["number"] for _ in range(2)] == ["INV-2026-0001", "INV-2026-0002"]
        assert bill(issue_date="2027-01-01", due_date="2027-01-02")["number"] == "INV-2027-0001"

    def test_are_not_used_again(self, bill, api):
        api.delete(f"/invoices/{bill()['id']}")
        assert bill()["number"] == "INV-2026-0002"

    def test_cannot_be_chosen(self, api, refused):
        refused(api.post("/invoices", json={"client_id": "cli_acme", "number": "1"}), 400)


class TestDueDate:
    @pytest.mark.parametrize(
        ("term", "due"),
        [
            ("upon_receipt", "2026-03-05"),
            ("net_15", "2026-03-20"),
            ("net_30", "2026-04-04"),
            ("net_45", "2026-04-19"),
            ("net_60", "2026-05-04"),
        ],
    )
    def test_follows_the_term(self, bill, term, due):
        assert bill(payment_term=term)["due_date"] == due

    def test_custom_term(self, server, api, bill, refused):
        body = {"client_id": "cli_acme", "payment_term": "custom"}
        assert "due_date" in refused(api.post("/invoices", json=body), 400)
        server.seed(clients=[{"id": "cli_2", "payment_days": 10}])
        assert bill(client_id="cli_2", payment_term="custom")["due_date"] == "2026-03-15"

    def test_not_before_the_issue(self, api, bill, refused):
        assert "due_date" in refused(
            api.post("/invoices", json={"client_id": "cli_acme", "due_date": "2026-03-04"}), 400
        )
        path = f"/invoices/{bill()['id']}"
        refused(api.patch(path, json={"issue_date": "2027-01-01"}), 400)

    def test_at_the_end_of_time(self, bill):
        assert bill(issue_date="9999-12-31")["due_date"] == "9999-12-31"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client_id": "nope"}, 404),
        ({"client_id": None}, 400),
        ({"payment_term": "net_7"}, 400),
        ({"tax": -1}, 400),
        ({"line_items": None}, 400),
        ({"line_items": [{"price": 1}]}, 400),
        ({"line_items": [{"quantity": "1"}]}, 400),
        ({"line_items": [{"project_id": "nope"}]}, 404),
        ({"state": "open"}, 400),
        ({"line_items_import": {}}, 400),
    ],
)
def test_unusable(api, refused, change, status):
    refused(api.post("/invoices", json={"client_id": "cli_acme", **change}), status)


def test_line_of_another_clients_project(server, api, refused):
    server.seed(clients=[{"id": "cli_2"}], projects=[{"id": "proj_2", "client_id": "cli_2"}])
    body = {"client_id": "cli_acme", "line_items": [{"project_id": "proj_2"}]}
    assert "project_id" in refused(api.post("/invoices", json=body), 400)


def test_get_and_list(bill, api, server, refused):
    first = bill(issue_date="2026-01-01", line_items=[line(1, 5)])
    second = bill()
    assert api.get(f"/invoices/{first['id']}").json() == first
    refused(api.get("/invoices/nope"), 404)

    def numbers(query=""):
        return [invoice["number"] for invoice in api.get(f"/invoices?{query}").json()["invoices"]]

    assert api.get("/invoices").json()["invoices"] == [second, first]
    server.set_state("invoices", second["id"], state="paid")
    assert numbers("state=paid") == numbers("from=2026-02-01") == [second["number"]]
    assert numbers("state=draft") == numbers("to=2026-02-01") == [first["number"]]
    assert numbers("client_id=nope") == numbers("updated_since=2027-01-01T00:00:00Z") == []
    refused(api.get("/invoices?state=sent"), 400)


class TestUpdate:
    def test_draft(self, bill, api):
        invoice = bill(line_items=[line(1, 100, taxed=True)], subject="x")
        changes = {"subject": None, "tax": 10, "due_date": "2026-05-01", "notes": "n", "purchase_order": "PO"}
        changed = api.patch(f"/invoices/{invoice['id']}", json=changes).json()
        assert {name: changed[name] for name in changes} == changes
        assert (changed["amount"], changed["tax_amount"]) == (110, 10)
        assert changed["line_items"] == invoice["line_items"]

    @pytest.mark.parametrize("field", ["line_items", "state", "payment_term", "currency", "client_id"])
    def test_fields_that_cannot_be_changed(self, bill, api, refused, field):
        assert field in refused(api.patch(f"/invoices/{bill()['id']}", json={field: "open"}), 400)

    @pytest.mark.parametrize("state", ["open", "paid", "closed"])
    def test_drafts_only(self, bill, api, server, refused, state):
        invoice = bill()
        server.set_state("invoices", invoice["id"], state=state)
        refused(api.patch(f"/invoices/{invoice['id']}", json={"notes": "x"}), 403)
        refused(api.delete(f"/invoices/{invoice['id']}"), 403)

    def test_unknown(self, api, refused):
        refused(api.patch("/invoices/nope", json={}), 404)
        refused(api.delete("/invoices/nope"), 404)


class TestDelete:
    def test_draft(self, bill, api, refused):
        invoice = bill(line_items=[{}])
        response = api.delete(f"/invoices/{invoice['id']}")
        assert (response.status_code, response.json()) == (200, {"id": invoice["id"], "deleted": True})
        refused(api.get(f"/invoices/{invoice['id']}"), 404)

    def test_administrators_only(self, bill, manager, refused):
        assert refused(manager.delete(f"/invoices/{bill(manager)['id']}"), 403) == "admin required"


RECIPIENTS = [{"name": "Ada", "email": "ada@acme.example"}]


class TestMessages:
    @pytest.fixture
    def send(self, api):
        def send(invoice, **fields):
            response = api.post(f"/invoices/{invoice['id']}/messages", json={"recipients": RECIPIENTS, **fields})
            assert response.status_code == 200, response.text
            return response.json()

        return send

    def test_opens_a_draft(self, bill, api, send, clock):
        invoice = bill()
        clock.tick(minutes=1)
        message = send(invoice, subject="Invoice", body="Please pay")
        assert message.pop("id").startswith("cm")
        assert message == {
            "invoice_id": invoice["id"],
            "sent_by": "Support Agent",
            "sent_by_email": "support-agent@agents.keito.example",
            "sent_from": "Keito Sandbox",
            "sent_from_email": "support-agent@agents.keito.example",
            "recipients": RECIPIENTS,
            "subject": "Invoice",
            "body": "Please pay",
            "attach_pdf": True,
            "send_me_a_copy": False,
            "thank_you": False,
            "reminder": False,
            "event_type": "send",
            "created_at": "2026-03-05T09:31:00.000Z",
            "updated_at": "2026-03-05T09:31:00.000Z",
        }
        opened = api.get(f"/invoices/{invoice['id']}").json()
        assert (opened["state"], opened["sent_at"]) == ("open", "2026-03-05T09:31:00.000Z")

    @pytest.mark.parametrize("state", ["open", "paid", "closed"])
    def test_keeps_every_other_state(self, bill, api, server, send, state):
        invoice = bill()
        server.set_state("invoices", invoice["id"], state=state)
        send(invoice)
        assert api.get(f"/invoices/{invoice['id']}").json()["state"] == state

    def test_kinds(self, bill, send, api):
        invoice = bill()
        reminder = send(invoice, event_type="reminder", include_attachments=True, attach_pdf=False)
        thanks = send(invoice, event_type="thank_you", send_me_a_copy=True)
        assert (reminder["reminder"], reminder["thank_you"], reminder["attach_pdf"]) == (True, False, False)
        assert (thanks["reminder"], thanks["thank_you"], thanks["send_me_a_copy"]) == (False, True, True)
        path = f"/invoices/{invoice['id']}/messages"
        assert api.get(path).json()["invoice_messages"] == [thanks, reminder]
        page = api.get(f"{path}?per_page=1&page=2").json()
        assert page["invoice_messages"] == [reminder]
        assert page["links"]["first"] == f"/api/v2{path}?page=1&per_page=1"

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"recipients": []},
            {"recipients": [{"name": "Ada"}]},
            {"recipients": [{"name": "Ada", "email": "nobody"}]},
            {"recipients": RECIPIENTS, "event_type": "view"},
            {"recipients": RECIPIENTS, "subject": 1},
            {"recipients": RECIPIENTS, "to": "x"},
        ],
    )
    def test_unusable(self, bill, api, refused, body):
        invoice = bill()
        refused(api.post(f"/invoices/{invoice['id']}/messages", json=body), 400)
        assert api.get(f"/invoices/{invoice['id']}").json()["state"] == "draft"

    def test_unknown_invoice(self, api, refused):
        refused(api.get("/invoices/nope/messages"), 404)
        refused(api.post("/invoices/nope/messages", json={"recipients": RECIPIENTS}), 404)


def test_paid_invoices_owe_nothing(bill, api, server):
    invoice = bill(line_items=[line(1, 5)])
    server.set_state("invoices", invoice["id"], state="paid")
    paid = api.get(f"/invoices/{invoice['id']}").json()
    assert (paid["amount"], paid["due_amount"], paid["paid_at"]) == (5, 0, "2026-03-05T09:30:00.000Z")


def test_nothing_becomes_billed(bill, api, log_time):
    log_time(hours=1)
    bill(line_items=[line(1, 90, project_id="proj_support")])
    assert api.get("/time_entries?is_billed=false").json()["total_entries"] == 1
