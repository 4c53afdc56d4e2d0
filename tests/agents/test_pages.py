"""The pages of runs: what they show, to whom, and what their forms do."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tasks.agents import run_log
from tasks.agents.choices import AskState, RunState, Workspace
from tasks.agents.models import Isolation, Run, RunMessage
from tasks.agents.places import log_of
from tasks.agents.selectors.branches import branch_of_merges
from tasks.agents.selectors.isolation import isolation_of
from tasks.choices import Status, Verb
from tasks.models import Project, Task
from tests.agents.collected import CART, collected, make_shop
from tests.agents.rows import make_ask, make_attempt, make_run, make_supervisor, switch_on
from tests.agents.supervised import git
from tests.factories import html_of, make_event, make_plan, make_project, make_task, signed_in

pytestmark = pytest.mark.django_db

OFFERED = '<button class="primary">Merge'
FIXED = CART.replace("line.price", "line.price * line.quantity")


@pytest.fixture
def project() -> Project:
    return make_project("shop", name="Shop")


@pytest.fixture
def task(project: Project) -> Task:
    return make_task(project, parent=make_plan(project, 0, title="Vouchers"), title="Count the cart", is_ready=True)


@pytest.fixture
def ada(client: Client) -> Client:
    return signed_in(client, is_staff=True)


@pytest.fixture
def owner(client: Client) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop")


class TestAgents:
    def test_it_says_how_to_begin(self, owner: Client, project: Project) -> None:
        page = html_of(owner.get("/projects/shop/agents/"))
        assert 'id="is-off"' in page and "manage.py up" in page and "/agents/settings/" in page

    def test_it_shows_what_runs_waits_and_has_ended_with_its_cost(self, ada: Client, task: Task) -> None:
        switch_on(task.project)
        make_supervisor(machine="laptop", facts={"jail": "bwrap", "strays": 0})
        others = [make_task(task.project, parent=task.parent) for _ in range(2)]
        working = make_run(task, RunState.RUNNING, cost_usd=Decimal("1.5"))
        queued = make_run(others[0], reason="2 runs of the project are at work.")
        ended = make_run(others[1], RunState.FAILED, cost_usd=Decimal("0.25"))
        page = html_of(ada.get("/projects/shop/agents/"))
        order = [page.index(f'id="{run.public_id}"') for run in (working, queued, ended)]
        assert order == sorted(order)
        assert queued.reason in page and "laptop" in page and 'id="spent">$1.75<' in page

    def test_strays_are_said(self, ada: Client, project: Project) -> None:
        make_supervisor(facts={"jail": "bwrap", "strays": 2})
        assert "2 strays outlived" in html_of(ada.get("/projects/shop/agents/"))

    def test_all_projects_have_one_page(self, ada: Client, task: Task) -> None:
        runs = [make_run(task, RunState.RUNNING), make_run(make_task(make_project("other")), RunState.RUNNING)]
        page = html_of(ada.get("/agents/"))
        assert all(run.public_id in page for run in runs)
        assert 'id="at-work">2<' in page and 'id="in-inbox"' not in page


class TestSettings:
    ADDRESS = "/projects/shop/agents/settings/"

    def test_a_person_switches_isolation_on(self, owner: Client, project: Project, shop: Path) -> None:
        Project.objects.update(root_path=str(shop))
        sent = {"is_on": "on", "agent": "codex", "agents": ["claude", "codex"], "rights": "deny", "turns": "20",
                "cost_usd": "1.50", "commands": "git diff\r\nmake test\r\n"}  # fmt: skip
        answer = owner.post(self.ADDRESS, sent)
        is_on, settings = isolation_of(project)
        assert answer.status_code == 302 and is_on
        assert settings.agents == ("codex", "claude") and settings.commands == ("git diff", "make test")
        assert (settings.turns, settings.cost_usd, settings.rights, settings.unjailed) == (
            20,
            Decimal("1.50"),
            "deny",
            False,
        )
        page = html_of(owner.get(self.ADDRESS))
        assert "git diff" in page and 'name="turns" value="20"' in page

    def test_what_the_form_shows_is_what_it_saves(self, owner: Client, project: Project, shop: Path) -> None:
        kept = {"own_folder": True, "unjailed": False, "rights": "bypass", "setup": ["make", "setup"], "keep_days": 3}
        switch_on(project, shop, **kept)
        html_of(owner.get(self.ADDRESS))
        sent = {"is_on": "on", "agent": "claude", "rights": "bypass", "own_folder": "on", "setup": "make\nsetup"}
        owner.post(self.ADDRESS, {**sent, "keep_days": "3"})
        assert Isolation.objects.get().settings == kept

    def test_errors_are_shown_at_their_fields_and_keep_what_was_typed(self, owner: Client, project: Project) -> None:
        sent = {"is_on": "on", "agent": "unknown", "rights": "all", "turns": "many", "cost_usd": "-1"}
        answer = owner.post(self.ADDRESS, sent)
        page = answer.content.decode()
        assert answer.status_code == 400
        assert all(f'id="{name}-errors"' in page for name in ("agents", "rights", "turns", "cost_usd"))
        assert 'value="many"' in page and not Isolation.objects.exists()

    def test_a_project_without_a_folder_stays_off(self, owner: Client, project: Project) -> None:
        answer = owner.post(self.ADDRESS, {"is_on": "on", "agent": "claude", "rights": "ask"})
        assert answer.status_code == 400 and 'id="is_on-errors"' in answer.content.decode()

    def test_whoever_is_no_owner_does_not_reach_it(self, ada: Client, project: Project) -> None:
        assert ada.post(self.ADDRESS, {"is_on": "on"}).status_code == 403


class TestRun:
    def test_it_shows_state_phases_log_use_and_attempts(self, ada: Client, task: Task) -> None:
        run = make_run(task, RunState.RUNNING, turns=4, cost_usd=Decimal("1.84"), context_used=84_000,
                       context_size=200_000, tokens_in=412_000, branch="orchestrator/x/1")  # fmt: skip
        make_attempt(run)
        make_event(task, Verb.RUN, after={"run": run.public_id, "state": "preparing"})
        make_event(task, Verb.RUN, after={"run": run.public_id, "state": "running"})
        _log(run, {"kind": "tool_use", "id": "1", "tool": "Bash", "summary": "make test"},
             {"kind": "tool_result", "id": "1", "failed": True, "text": "2 failed"})  # fmt: skip
        page = html_of(ada.get(f"/runs/{run.public_id}/"))
        for part in ('data-state="running"', "$1.84 of $5.00", "turn 4 of 60", "412k", "84k of 200k", "make test",
                     "2 failed", "Attempt 1", "orchestrator/x/1", "2 phases", "data-running"):  # fmt: skip
            assert part in page
        assert page.count('class="step-') == 1

    def test_earlier_entries_are_a_link_away(self, ada: Client, task: Task) -> None:
        run = make_run(task, RunState.FAILED)
        _log(run, *({"kind": "said", "text": f"Entry {number:03d}."} for number in range(250)))
        newest = html_of(ada.get(f"/runs/{run.public_id}/"))
        assert "Entry 249." in newest and "Entry 050." in newest and "Entry 049." not in newest
        link = newest.partition('<a href="?before=')[2].partition('"')[0]
        earlier = html_of(ada.get(f"/runs/{run.public_id}/", {"before": link}))
        assert "Entry 049." in earlier and "Entry 000." in earlier and "Entry 050." not in earlier

    def test_retries_are_one_line(self, ada: Client, task: Task) -> None:
        run = make_run(task, RunState.RUNNING)
        _log(run, *({"kind": "retry", "attempt": number} for number in range(1, 8)))
        page = html_of(ada.get(f"/runs/{run.public_id}/"))
        assert page.count('class="step-retry"') == 1 and "7 times" in page

    def test_a_run_without_a_log_and_a_supervisor_says_so(self, ada: Client, task: Task) -> None:
        page = html_of(ada.get(f"/runs/{make_run(task).public_id}/"))
        assert 'id="alone"' in page

    @pytest.mark.parametrize("name", ["run_none", "%00"])
    def test_an_unknown_run_is_not_found(self, ada: Client, name: str) -> None:
        assert ada.get(f"/runs/{name}/").status_code == 404


class TestVerbs:
    @pytest.mark.parametrize(("verdict", "state"), [("allow", AskState.ALLOWED), ("deny", AskState.DENIED)])
    def test_an_ask_is_answered(self, ada: Client, task: Task, verdict: str, state: str) -> None:
        run = make_run(task, RunState.ASKING)
        ask = make_ask(run)
        page = html_of(ada.get(f"/runs/{run.public_id}/"))
        assert f'id="ask-{ask.pk}"' in page
        answer = ada.post(f"/runs/{run.public_id}/answer/", {"ask": ask.pk, "verdict": verdict, "reason": "Because"})
        ask.refresh_from_db()
        assert answer.status_code == 302 and (ask.state, ask.reason, ask.answered_by) == (state, "Because", "ada")

    def test_an_ask_that_was_answered_already_stays_so(self, ada: Client, task: Task) -> None:
        run = make_run(task, RunState.ASKING)
        ask = make_ask(run, state=AskState.DENIED)
        answer = ada.post(f"/runs/{run.public_id}/answer/", {"ask": ask.pk, "verdict": "allow"}, follow=True)
        ask.refresh_from_db()
        assert 'data-code="conflict"' in html_of(answer) and ask.state == AskState.DENIED

    @pytest.mark.parametrize("sent", [{}, {"ask": "x", "verdict": "allow"}, {"ask": "1", "verdict": "maybe"}])
    def test_an_answer_that_no_form_sends_is_not_found(self, ada: Client, task: Task, sent: dict[str, str]) -> None:
        assert ada.post(f"/runs/{make_run(task).public_id}/answer/", sent).status_code == 404

    def test_an_agent_at_work_is_sent_a_message(self, ada: Client, task: Task) -> None:
        run = make_run(task, RunState.RUNNING)
        ada.post(f"/runs/{run.public_id}/message/", {"text": "Use secrets.\r\nPlease."})
        assert run.messages.get().text == "Use secrets.\nPlease."
        assert "1 message not sent yet" in html_of(ada.get(f"/runs/{run.public_id}/"))

    def test_a_run_is_ended_after_a_confirmation(self, ada: Client, task: Task) -> None:
        run = make_run(task, RunState.RUNNING)
        address = f"/runs/{run.public_id}/act/kill/"
        assert address in html_of(ada.get(f"/runs/{run.public_id}/"))
        html_of(ada.get(address))
        run.refresh_from_db()
        assert run.stop == ""
        ada.post(address, {"words": "Too slow"})
        run.refresh_from_db()
        assert (run.stop, run.stopped_by) == (RunState.KILLED, "ada")

    def test_an_ended_run_is_resumed_with_a_message(self, ada: Client, task: Task) -> None:
        run = make_run(task, RunState.KILLED)
        address = f"/runs/{run.public_id}/act/resume/"
        assert address in html_of(ada.get(f"/runs/{run.public_id}/"))
        ada.post(address, {"words": "Go on."})
        run.refresh_from_db()
        assert (run.state, run.messages.get().text) == (RunState.QUEUED, "Go on.")

    def test_what_cannot_be_done_is_said_and_keeps_what_was_typed(self, ada: Client, task: Task) -> None:
        run = make_run(task, RunState.SUCCEEDED)
        answer = ada.post(f"/runs/{run.public_id}/act/resume/", {"words": "Once more"})
        page = answer.content.decode()
        assert answer.status_code == 409 and 'data-code="conflict"' in page and "Once more" in page

    def test_an_unknown_verb_is_not_found(self, ada: Client, task: Task) -> None:
        assert ada.get(f"/runs/{make_run(task).public_id}/act/clone/").status_code == 404

    @pytest.mark.parametrize("verb", ["act/kill/", "act/resume/", "act/dismiss/", "message/", "answer/", "merge/"])
    def test_a_reader_changes_nothing(self, client: Client, task: Task, verb: str) -> None:
        run = make_run(task, RunState.RUNNING)
        assert signed_in(client).post(f"/runs/{run.public_id}/{verb}", {"text": "x"}).status_code == 403
        run.refresh_from_db()
        assert run.stop == "" and not RunMessage.objects.exists()


class TestChanges:
    def test_they_are_shown_line_by_line_in_both_layouts(self, ada: Client, task: Task, shop: Path) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED, "new <b>.txt": "<script>\n"})
        for layout in ("unified", "split"):
            page = html_of(ada.get(f"/runs/{run.public_id}/changes/", {"layout": layout}))
            assert "<b> * line.quantity</b>" in page and "&lt;script&gt;" in page and "<script>\n" not in page
            assert f'class="diff lines {layout}"' in page

    def test_a_comment_on_a_line_is_shown_there_and_goes_to_the_next_attempt(
        self, ada: Client, task: Task, shop: Path
    ) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        address = f"/runs/{run.public_id}/changes/"
        page = html_of(ada.get(address))
        key = page.partition('<section class="box reviewed" id="')[2].partition('"')[0]
        assert f'href="?on={key}&amp;line=4#remark"' in page
        form = html_of(ada.get(address, {"on": key, "line": "4"}))
        assert form.count('id="remark"') == 1
        ada.post(address, {"on": key, "line": "4", "text": "May be None."})
        assert run.messages.get().text == "shop/cart.py, line 4:\n> price += line.price * line.quantity\n\nMay be None."
        shown = html_of(ada.get(address))
        line = shown.index(f'id="{key}-4"')
        assert line < shown.index("May be None.") < shown.index(f'id="{key}-5"')

    def test_a_comment_that_no_agent_has_is_deleted(self, ada: Client, task: Task, shop: Path) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        kept, sent = (RunMessage.objects.create(run=run, text=f"x:\n\n{word}", written_by="ada") for word in "ab")
        RunMessage.objects.filter(pk=sent.pk).update(sent_at=sent.written_at)
        address = f"/runs/{run.public_id}/changes/"
        assert ada.post(address, {"withdraw": kept.pk}).status_code == 302
        assert ada.post(address, {"withdraw": sent.pk}).status_code == 409
        assert [each.pk for each in run.messages.all()] == [sent.pk]

    @pytest.mark.parametrize("sent", [{"text": ""}, {"text": "x", "line": "0"}, {"text": "x", "line": "x"}])
    def test_a_comment_that_is_wrong_is_said(self, ada: Client, task: Task, shop: Path, sent: dict[str, str]) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        page = html_of(ada.get(f"/runs/{run.public_id}/changes/"))
        key = page.partition('<section class="box reviewed" id="')[2].partition('"')[0]
        answer = ada.post(f"/runs/{run.public_id}/changes/", {"on": key, **sent})
        assert answer.status_code == 400 and 'data-code="invalid"' in answer.content.decode()

    def test_a_reader_sees_them_and_comments_on_nothing(self, client: Client, task: Task, shop: Path) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        reader = signed_in(client)
        assert "?on=" not in html_of(reader.get(f"/runs/{run.public_id}/changes/"))
        assert reader.post(f"/runs/{run.public_id}/changes/", {"on": "x", "text": "x"}).status_code == 403

    def test_they_are_downloaded_as_a_patch_that_applies(self, ada: Client, task: Task, shop: Path) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        answer = ada.get(f"/runs/{run.public_id}/changes.patch")
        (shop / "run.patch").write_bytes(answer.content)
        git(shop, "apply", "run.patch")
        assert (shop / "shop/cart.py").read_text() == FIXED and "attachment" in answer["Content-Disposition"]

    def test_a_repository_that_is_gone_is_said(self, ada: Client, task: Task, shop: Path) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        shop.rename(shop.with_name("moved"))
        assert 'id="no-changes"' in html_of(ada.get(f"/runs/{run.public_id}/changes/"))

    def test_a_tampered_run_says_why_and_offers_no_merge(self, ada: Client, task: Task) -> None:
        run = make_run(task, RunState.TAMPERED, facts={"tampered": ["core.fsmonitor was set"]})
        page = html_of(ada.get(f"/runs/{run.public_id}/changes/"))
        assert "core.fsmonitor was set" in page and "/merge/" not in page and "/act/trust/" in page
        merge = ada.get(f"/runs/{run.public_id}/merge/")
        assert 'id="why-not"' in html_of(merge) and OFFERED not in merge.content.decode()


class TestMerge:
    def test_it_merges_where_the_plan_comes_together_and_touches_no_checkout(
        self, ada: Client, task: Task, shop: Path
    ) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        branch = branch_of_merges(run.plan)
        assert "/merge/" in html_of(ada.get(f"/runs/{run.public_id}/"))
        page = html_of(ada.get(f"/runs/{run.public_id}/merge/"))
        assert 'id="merges"' in page and branch in page and OFFERED in page
        ada.post(f"/runs/{run.public_id}/merge/", {"target": branch, "mode": "squash", "expected": ""})
        run.refresh_from_db()
        assert git(shop, "rev-parse", branch).strip() == run.merged_commit
        assert git(shop, "status", "--porcelain") == "" and (shop / "shop/cart.py").read_text() == CART
        assert 'id="merged"' in html_of(ada.get(f"/runs/{run.public_id}/"))

    def test_a_branch_that_is_checked_out_is_refused(self, ada: Client, task: Task, shop: Path) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        answer = ada.post(f"/runs/{run.public_id}/merge/", {"target": "main", "mode": "squash"})
        assert answer.status_code == 409 and 'data-code="conflict"' in answer.content.decode()

    def test_a_target_that_moved_since_is_looked_at_again(self, ada: Client, task: Task, shop: Path) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        git(shop, "branch", "side")
        page = html_of(ada.get(f"/runs/{run.public_id}/merge/", {"target": "side"}))
        expected = page.partition('name="expected" value="')[2].partition('"')[0]
        git(shop, "commit", "-q", "--allow-empty", "-m", "More")
        git(shop, "branch", "-f", "side", "HEAD")
        sent = {"target": "side", "mode": "squash", "expected": expected}
        answer = ada.post(f"/runs/{run.public_id}/merge/", sent)
        run.refresh_from_db()
        assert answer.status_code in (409, 412) and run.merged_commit == ""

    def test_conflicts_are_forecast_between_runs_and_with_the_target(self, ada: Client, task: Task, shop: Path) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        other = make_task(task.project, parent=task.parent, title="Round the cart")
        clash = collected(other, shop, {"shop/cart.py": CART.replace("line.price", "round(line.price)")})
        page = html_of(ada.get(f"/runs/{run.public_id}/merge/"))
        assert "Round the cart" in page.partition('id="outlook"')[2]
        branch = branch_of_merges(run.plan)
        ada.post(f"/runs/{clash.public_id}/merge/", {"target": branch, "mode": "merge", "expected": ""})
        page = html_of(ada.get(f"/runs/{run.public_id}/merge/"))
        assert 'id="conflicts"' in page and 'id="behind"' in page and OFFERED not in page

    def test_a_tampered_run_is_trusted_or_dismissed(self, ada: Client, task: Task, shop: Path) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED}, RunState.TAMPERED)
        html_of(ada.get(f"/runs/{run.public_id}/act/trust/"))
        ada.post(f"/runs/{run.public_id}/act/trust/")
        run.refresh_from_db()
        assert run.state == RunState.COLLECTING

    def test_changes_are_dismissed(self, ada: Client, task: Task, shop: Path) -> None:
        run = collected(task, shop, {"shop/cart.py": FIXED})
        ada.post(f"/runs/{run.public_id}/act/dismiss/")
        page = html_of(ada.get(f"/runs/{run.public_id}/changes/"))
        assert 'id="dismissed"' in page and "/merge/" not in page


class TestStart:
    @pytest.fixture
    def ready(self, task: Task) -> Task:
        switch_on(task.project, agents=["claude", "codex"])
        make_supervisor()
        return task

    def test_a_task_is_run_as_was_chosen(self, ada: Client, ready: Task) -> None:
        address = f"/tasks/{ready.public_id}/run/"
        for page in (f"/tasks/{ready.public_id}/", f"/tasks/{ready.public_id}/act/"):
            assert address in html_of(ada.get(page))
        html_of(ada.get(address))
        sent = {"agent": "codex", "model": "gpt", "turns": "9", "cost_usd": "0.5", "workspace": "persistent"}
        answer = ada.post(address, sent)
        run = Run.objects.get()
        assert answer["Location"] == f"/runs/{run.public_id}/"
        assert (run.agent, run.model, run.workspace, run.started_by) == ("codex", "gpt", Workspace.PERSISTENT, "ada")
        assert (run.limits["turns"], run.limits["minutes"], Decimal(run.limits["cost_usd"])) == (9, 30, Decimal("0.5"))

    def test_a_plan_is_run_by_its_pending_subtasks(self, ada: Client, ready: Task) -> None:
        for status in (Status.COMPLETED, Status.ACTIVE, Status.BLOCKED):
            make_task(ready.project, parent=ready.parent, status=status)
        make_run(make_task(ready.project, parent=ready.parent), RunState.RUNNING)
        more = make_task(ready.project, parent=ready.parent)
        plan = ready.parent
        assert plan is not None
        page = html_of(ada.get(f"/tasks/{plan.public_id}/run/"))
        assert "2 runs" in page and "3 others" in page
        answer = ada.post(f"/tasks/{plan.public_id}/run/", {"agent": "claude"})
        assert answer["Location"] == "/projects/shop/agents/"
        assert {run.task_id for run in Run.objects.filter(state=RunState.QUEUED)} == {ready.pk, more.pk}

    def test_the_own_folder_is_offered_where_it_is_allowed(self, ada: Client, ready: Task) -> None:
        address = f"/tasks/{ready.public_id}/run/"
        assert 'value="current"' not in html_of(ada.get(address))
        Isolation.objects.update(settings={"own_folder": True})
        assert 'value="current"' in html_of(ada.get(address))

    def test_what_is_wrong_is_shown_at_its_field(self, ada: Client, ready: Task) -> None:
        answer = ada.post(f"/tasks/{ready.public_id}/run/", {"turns": "-3", "minutes": "long"})
        page = answer.content.decode()
        assert answer.status_code == 400 and not Run.objects.exists()
        assert all(f'id="{name}-errors"' in page for name in ("turns", "minutes")) and 'value="long"' in page
        answer = ada.post(f"/tasks/{ready.public_id}/run/", {"model": "x" * 101})
        assert answer.status_code == 400 and 'id="model-errors"' in answer.content.decode()

    def test_it_is_not_offered_while_isolation_is_off(self, ada: Client, task: Task) -> None:
        assert f"/tasks/{task.public_id}/run/" not in html_of(ada.get(f"/tasks/{task.public_id}/"))
        assert 'id="is-off"' in html_of(ada.get(f"/tasks/{task.public_id}/run/"))
        assert ada.post(f"/tasks/{task.public_id}/run/", {}).status_code != 302

    def test_without_a_supervisor_it_says_what_to_do(self, ada: Client, task: Task) -> None:
        switch_on(task.project)
        assert 'id="no-supervisor"' in html_of(ada.get(f"/tasks/{task.public_id}/run/"))
        assert 'data-code="not_ready"' in ada.post(f"/tasks/{task.public_id}/run/", {}).content.decode()


class TestInbox:
    def test_what_agents_ask_is_answered_there(self, ada: Client, task: Task) -> None:
        ask = make_ask(make_run(task, RunState.ASKING), question="npm install nanoid")
        page = html_of(ada.get("/"))
        assert f'id="asks-{ask.pk}"' in page and 'id="in-inbox">1<' in page and "npm install nanoid" in page
        sent = {"ask": ask.pk, "verdict": "allow", "next": "/"}
        assert ada.post(f"/runs/{ask.run.public_id}/answer/", sent)["Location"] == "/"
        assert 'id="asks-' not in html_of(ada.get("/"))

    def test_whoever_may_not_decide_is_offered_no_answer(self, client: Client, task: Task) -> None:
        make_ask(make_run(task, RunState.ASKING))
        assert 'name="verdict"' not in html_of(signed_in(client).get("/"))

    def test_asks_can_be_shown_alone(self, ada: Client, task: Task) -> None:
        make_ask(make_run(task, RunState.ASKING))
        blocked = make_task(task.project, status=Status.BLOCKED)
        page = html_of(ada.get("/?show=asks"))
        assert 'id="asks-' in page and f"waiting-{blocked.public_id}" not in page


class TestWorktrees:
    def test_a_sweep_is_previewed_and_then_done(
        self, ada: Client, task: Task, shop: Path, settings: Any, tmp_path: Path
    ) -> None:
        settings.ORCHESTRATOR_HOME = tmp_path
        switch_on(task.project, keep_days=0)
        run = collected(task, shop, {"shop/cart.py": FIXED})
        page = html_of(ada.get("/projects/shop/agents/worktrees/"))
        assert run.public_id in page and 'data-goes="yes"' in page
        ada.post("/projects/shop/agents/worktrees/")
        run.refresh_from_db()
        assert run.removed_at and not Path(run.worktree["folder"]).exists()
        assert git(shop, "rev-parse", run.branch).strip() == run.head_commit


def _log(run: Run, *entries: dict[str, Any]) -> None:
    log = log_of(run)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    run_log.append(log, entries)
