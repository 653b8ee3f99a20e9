"""Response models by subject: they describe the answers in the OpenAPI document, and tests check answers with them.

No answer is built from them. Wafers are whole wafer-start equivalents (WSE); a balance on a date is that at its end. A
field that is present only on request is not required. `title` is the published name of a model in the OpenAPI document.
"""
