using System.Text;

namespace Pangea.DataPlane.Firewall.Text;

/// <summary>A piece of a line: a word, a quoted text, a comma or an equals sign.</summary>
internal readonly record struct LineToken(string Text, int Column, bool IsQuoted)
{
    public bool Is(string mark) => !IsQuoted && Text == mark;
}

/// <summary>Reads the tokens of one line from left to right.</summary>
internal sealed class LineTokens
{
    private readonly List<LineToken> _tokens = [];
    private readonly int _length;
    private int _position;

    private LineTokens(int length) => _length = length;

    public bool AtEnd => _position == _tokens.Count;

    /// <summary>Column of the next token, or behind the line.</summary>
    public int Column => AtEnd ? _length + 1 : _tokens[_position].Column;

    /// <summary>Splits a line; a comment and what is behind it is left out.</summary>
    public static LineTokens? Split(string line, out (int Column, string Message) error)
    {
        LineTokens tokens = new(line.Length);
        error = default;
        int i = 0;
        while (i < line.Length && line[i] != '#')
        {
            char c = line[i];
            if (char.IsWhiteSpace(c))
            {
                i++;
            }
            else if (c is ',' or '=')
            {
                tokens._tokens.Add(new LineToken(c.ToString(), ++i, false));
            }
            else if (c == '"')
            {
                int start = i;
                if (Quoted(line, ref i) is not string text)
                {
                    error = (start + 1, "the quoted text has no end");
                    return null;
                }

                tokens._tokens.Add(new LineToken(text, start + 1, true));
            }
            else
            {
                int start = i;
                while (i < line.Length && !char.IsWhiteSpace(line[i]) && line[i] is not
                    (',' or '=' or '"' or '#'))
                {
                    i++;
                }

                tokens._tokens.Add(new LineToken(line[start..i], start + 1, false));
            }
        }

        return tokens;
    }

    public LineToken? Peek() => AtEnd ? null : _tokens[_position];

    public LineToken? Next() => AtEnd ? null : _tokens[_position++];

    /// <summary>Takes the next token if it is this mark or word.</summary>
    public bool Take(string mark)
    {
        if (AtEnd || !_tokens[_position].Is(mark))
        {
            return false;
        }

        _position++;
        return true;
    }

    private static string? Quoted(string line, ref int i)
    {
        StringBuilder text = new();
        for (i++; i < line.Length; i++)
        {
            if (line[i] == '"')
            {
                i++;
                return text.ToString();
            }

            if (line[i] == '\\' && i + 1 < line.Length)
            {
                i++;
            }

            text.Append(line[i]);
        }

        return null;
    }
}
