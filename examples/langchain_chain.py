"""A LangChain chain that is billed: one line in its config.

    pip install -e ".[examples]"
    python examples/langchain_chain.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import logging
import sys
from uuid import uuid4

from local_keito import keito_account, stop
from offline_model import OfflineModel

try:
    from keito_langchain import KeitoCallbackHandler
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnableConfig
except ImportError as error:
    stop(f'This needs Python 3.10 or newer, and: pip install -e ".[examples]" ({error})')

from keito import Keito
from keito.billing import Outcome


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where:
        print(f"A chain translates a text, billed to {where}.\n")
        prompt = ChatPromptTemplate.from_template("Translate into French: {text}")
        chain = prompt | OfflineModel(answer="Où est la gare ?") | StrOutputParser()

        # Each run that completes is one translation. Time and cost need not even this.
        handler = KeitoCallbackHandler(outcome=Outcome("text_translated", unit_price="0.20"))
        session = f"translation-{uuid4()}"
        config: RunnableConfig = {
            "callbacks": [handler],
            "run_name": "Translation",
            "metadata": {"keito_session_id": session},
        }
        print(chain.invoke({"text": "Where is the station?"}, config))

        report = handler.flush()
        print(f"\n{report.delivered} records delivered" if report.complete else report)
        with Keito() as keito:
            entries = [
                e for e in keito.time_entries.list(source="agent") if (e.metadata or {})["session_id"] == session
            ]
        for entry in entries:
            price = (entry.metadata or {}).get("outcome_unit_price")
            print(f"  {entry.notes}: {f'${price:.2f}' if price else f'{entry.hours:.6f} h'}")
        handler.billing.close()
        return 0 if report.complete else 1


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s")
    sys.exit(main())
